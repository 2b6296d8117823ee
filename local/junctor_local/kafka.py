"""A real Apache Kafka broker (KRaft, one node) from its Maven artifacts, for local sites and tests."""

import asyncio
import base64
import shutil
import struct
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from junctor_local import places
from junctor_local.child import Child
from junctor_local.ports import free_port

_READY_LIMIT = 60.0
_HOST = "127.0.0.1"

# Two cores and a site budget of 2 GB: few threads, a small cleaner buffer (its default is 128 MB of heap),
# small indexes (each partition maps two), and internal topics with few partitions.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=8388608
log.retention.hours=168
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
message.max.bytes=1048588
broker.heartbeat.interval.ms=400
broker.session.timeout.ms=2000
"""


class KafkaServer:
    """One broker on loopback whose data outlives `kill`, `stop` and `start` on the same directory and ports.

    async with KafkaServer(tmp_path) as kafka:
        AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    """

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        controller_port: int = 0,
        heap_mb: int = 384,
        properties: Mapping[str, str] | None = None,
        options: Sequence[str] | None = None,
        whole_heap: bool = False,
    ) -> None:
        """`directory` holds data, configuration and `kafka.log`; port 0 chooses a free one. `properties` go before ours.

        `options` are the JVM's, instead of the one for the classes that `make setup` keeps. `whole_heap`: the broker has all
        of its heap from the start, as Kafka's own scripts do it; without it, it takes and keeps as little as it can.
        """
        self.directory = directory
        self.port = port or free_port(_HOST)
        self.controller_port = controller_port or free_port(_HOST)
        self._properties = dict(properties or {})
        self._child = Child(
            "Kafka",
            java(heap_mb, "kafka.Kafka", str(directory / "server.properties"), options=options, whole_heap=whole_heap),
            directory / "kafka.log",
        )

    @property
    def bootstrap(self) -> str:
        """The address for clients, host:port."""
        return f"{_HOST}:{self.port}"

    @property
    def child(self) -> Child:
        """The broker's process."""
        return self._child

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the broker's process runs."""
        return self._child.running

    async def start(self) -> None:
        """Formats the directory at the first start, starts the broker, and waits until it answers metadata requests.

        Raises FileNotFoundError without Java or the jars (run `make setup`), NotReady if the broker ends or
        is silent for a minute; the text of NotReady has the end of its log.
        """
        if shutil.which("java") is None:
            raise FileNotFoundError(
                "Kafka needs Java 17, and there is no `java` on the PATH (Debian: openjdk-17-jre-headless)"
            )
        if not any(places.kafka_jars().glob("kafka_2.13-*.jar")):
            raise FileNotFoundError(f"Kafka's jars are not in {places.kafka_jars()}: run `make setup`")
        await self._prepare()
        await self._child.start()
        await self._child.ready(self.answers, _READY_LIMIT)

    async def stop(self) -> None:
        """Ends the broker in order (SIGTERM), or by SIGKILL after 15 s."""
        await self._child.stop()

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        await self._child.kill()

    async def answers(self) -> bool:
        """Whether the broker answers a metadata request and counts itself as alive."""
        try:
            return await asyncio.wait_for(_registered_brokers(_HOST, self.port), 2) > 0
        except (OSError, TimeoutError, EOFError, struct.error):
            return False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def _prepare(self) -> None:
        data = self.directory / "data"
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = self.directory / "server.properties"
        ours = _PROPERTIES.format(host=_HOST, port=self.port, controller_port=self.controller_port, data=data)
        lines = [line for line in ours.splitlines() if line.partition("=")[0] not in self._properties]
        lines += [f"{name}={value}" for name, value in self._properties.items()]
        settings.write_text("\n".join(lines) + "\n")
        if (data / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # A leading "-" would be read as an option.
        arguments = ["format", "--cluster-id", "J" + cluster[1:], "--config", str(settings)]
        tool = Child(
            "Kafka's storage tool",
            java(128, "kafka.tools.StorageTool", *arguments),
            self.directory / "kafka.log",
        )
        await tool.start()
        if await tool.wait() != 0:
            raise OSError(f"Kafka's storage could not be formatted in {data}. {tool.tail()}")


def java(
    heap_mb: int, main: str, *arguments: str, options: Sequence[str] | None = None, whole_heap: bool = False
) -> list[str]:
    """The command line of a program of Kafka's jars, with a heap of at most `heap_mb` and few threads."""
    heap = [f"-Xms{heap_mb}m"] if whole_heap else ["-Xms64m", "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=25"]
    classes = places.kafka_classes()
    if options is None:
        options = [f"-XX:SharedArchiveFile={classes}"] if classes.exists() else []
    return [
        "java",
        *options,
        f"-Xmx{heap_mb}m",
        *heap,
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        "-cp",
        f"{places.kafka_jars()}/*",
        main,
        *arguments,
    ]


async def _registered_brokers(host: str, port: int) -> int:
    """How many brokers a Metadata request (key 3, version 1, no topics) is told of."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        client = b"junctor-local"
        body = struct.pack(">hhih", 3, 1, 1, len(client)) + client + struct.pack(">i", 0)
        writer.write(struct.pack(">i", len(body)) + body)
        await writer.drain()
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        answer = await reader.readexactly(size)
        brokers: int = struct.unpack_from(">i", answer, 4)[0]
        return brokers
    finally:
        writer.close()
