from junctor_testkit.local_kafka import kafka, kafka_log, service_name  # noqa: F401
