"""Kafka's classes as the JVM keeps them (JEP 350): a broker that finds them loaded and checked starts with half the work.

`python -m junctor_local.kafka_classes` runs a broker once and writes them, after Kafka's jars have changed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from junctor_local import places
from junctor_local.kafka import KafkaServer

WRITING_LIMIT = 120.0


async def write() -> Path:
    """The archive that was written. Raises what `KafkaServer.start` raises, and OSError where the JVM wrote none."""
    archive = places.kafka_classes()
    archive.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        kafka = KafkaServer(Path(directory), options=[f"-XX:ArchiveClassesAtExit={archive}"])
        await kafka.start()
        await kafka.child.stop(WRITING_LIMIT)
        if not archive.exists():
            raise OSError(f"the JVM wrote no {archive}. {kafka.child.tail()}")
    return archive


def main() -> int:
    """0 in any case: brokers start without it too."""
    try:
        asyncio.run(write())
    except OSError as error:
        print(f"Kafka starts slower than it could: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
