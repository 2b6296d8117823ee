"""Apache Kafka's MirrorMaker 2 for one direction: what another site writes, copied to this site's broker.

It runs at the target, so a cut link is a slow read and never a lost write. A topic `t` of site `a` is `a.t` at the target, with
the same partitions and in the same order. After a restart of the mirror or a broker the last records are copied again, and
offsets differ: readers go by epochs, sequences and ids, never by offsets.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from junctor_journal.log import TopicDeclaration

from junctor_local.child import Child
from junctor_local.kafka import java
from junctor_local.mirror_progress import MirrorProgress

_READY_LIMIT = 60.0
_STUCK_AFTER, _LOOK_EVERY = 15.0, 1.0

# Low delay: nothing lingers, and fetches answer with the first byte. One request in flight, so that a retry keeps the order.
# Positions are kept each second: what is copied again after a crash is about a second. `read_committed`: the default would
# copy records of aborted transactions as if they were real. No group offsets, heartbeats or checkpoints: nobody reads them.
# Which prefix counts for what is in MirrorMakerConfig: the source's for its consumer, the target's for worker and producer.
_PROPERTIES = """\
clusters={source},{target}
{source}.bootstrap.servers={source_bootstrap}
{target}.bootstrap.servers={target_bootstrap}
{source}->{target}.enabled=true
{source}->{target}.topics={topics}
{target}->{source}.enabled=false
{source}.consumer.isolation.level=read_committed
{source}.consumer.fetch.min.bytes=1
{source}.consumer.reconnect.backoff.max.ms=1000
{target}.producer.linger.ms=0
{target}.producer.acks=all
{target}.producer.max.in.flight.requests.per.connection=1
{target}.producer.reconnect.backoff.max.ms=1000
{target}.offset.flush.interval.ms=1000
{target}.plugin.discovery=service_load
plugin.discovery=service_load
refresh.topics.enabled=true
refresh.topics.interval.seconds=5
refresh.groups.enabled=false
sync.group.offsets.enabled=false
sync.topic.acls.enabled=false
emit.heartbeats.enabled=false
emit.checkpoints.enabled=false
emit.offset-syncs.enabled=false
replication.factor=1
config.storage.replication.factor=1
offset.storage.replication.factor=1
offset.storage.partitions=1
status.storage.replication.factor=1
status.storage.partitions=1
"""


log = logging.getLogger(__name__)


class Mirror:
    """One MirrorMaker. It waits for brokers that are away, its own too, and goes on where it was. Where its task has failed
    (a broker that could not write) it is killed, so that whoever supervises it starts it again.

    async with Mirror(tmp_path, source=("a", kafka_a.bootstrap), target=("b", kafka_b.bootstrap), topics=names):
        ...
    """

    def __init__(
        self,
        directory: Path,
        *,
        source: tuple[str, str],
        target: tuple[str, str],
        topics: Sequence[str],
        heap_mb: int = 256,
    ) -> None:
        """`source` and `target`: a site's name and its bootstrap address. `topics`: their names at the source."""
        self.directory = directory
        self._settings = _PROPERTIES.format(
            source=source[0],
            source_bootstrap=source[1],
            target=target[0],
            target_bootstrap=target[1],
            topics=",".join(topic.replace(".", "\\\\.") for topic in topics),
        )
        self._path = directory / "mirror.properties"
        command = java(heap_mb, "org.apache.kafka.connect.mirror.MirrorMaker", str(self._path), "--clusters", target[0])
        command.insert(1, "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.connect.mirror.MirrorSourceTask=info")
        self.child = Child(f"mirror of {source[0]}", command, directory / "mirror.log")
        self._progress = MirrorProgress(self.child.log)
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the process. Returns at once: it may have to wait for the other site."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._path.write_text(self._settings, encoding="utf-8")
        self._progress = MirrorProgress(self.child.log)
        await self.child.start()
        self._watch = asyncio.create_task(self._end_where_stuck(self._progress))

    async def mirroring(self, limit: float = _READY_LIMIT) -> None:
        """Returns when it copies; NotReady if it ends or does not within `limit` seconds."""
        await self.child.ready(self.copies, limit, every=0.1)

    async def copies(self) -> bool:
        """Whether it copies: its task has begun and has not ended since."""
        return self.child.running and self._progress.look()

    async def stop(self) -> None:
        """Ends it in order: positions are kept."""
        await self.child.stop()

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        await self.child.kill()

    async def _end_where_stuck(self, progress: MirrorProgress) -> None:
        stuck = 0.0
        while self.child.running and progress is self._progress:
            copies = progress.look()
            stuck = stuck + _LOOK_EVERY if progress.began and not copies else 0.0
            if stuck > _STUCK_AFTER:
                log.warning("a mirror's task has failed", extra={"mirror": self.child.name})
                await self.child.kill()
            await asyncio.sleep(_LOOK_EVERY)

    async def __aenter__(self) -> Self:
        await self.start()
        await self.mirroring()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()


def copy_name(site: str, topic: str) -> str:
    """What `site`'s topic is called where it is mirrored to."""
    return f"{site}.{topic}"


def copies_of(site: str, declarations: Sequence[TopicDeclaration]) -> list[TopicDeclaration]:
    """The copies of a site's topics, to be made at the target before anybody reads them."""
    return [TopicDeclaration(copy_name(site, d.name), d.partitions, d.config) for d in declarations]
