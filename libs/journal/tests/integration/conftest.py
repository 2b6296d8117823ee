from junctor_testkit.local_kafka import kafka, kafka_log, own_kafka, service_name  # noqa: F401
