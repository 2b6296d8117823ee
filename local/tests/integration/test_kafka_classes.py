"""The JVM takes Kafka's classes from the archive that `make setup` wrote."""

from junctor_local import places
from junctor_local.kafka import KafkaServer


async def test_a_broker_maps_the_archive_of_its_classes(tmp_path):
    archive = places.kafka_classes()
    assert archive.exists(), "make setup writes it"
    async with KafkaServer(tmp_path / "kafka", heap_mb=256) as kafka:
        with open(f"/proc/{kafka.pid}/maps", encoding="utf-8") as maps:
            assert any(line.rstrip().endswith(str(archive)) for line in maps)
