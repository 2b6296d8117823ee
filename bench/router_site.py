"""A router of its own on a real broker: what its figures need, and no more of a site."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import psutil
from junctor.directory.v1 import directory_pb2
from junctor_journal import topics
from junctor_journal.errors import LogUnavailable
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import NewRecord, TopicPartition
from junctor_local import places
from junctor_local.issuer import Issuer
from junctor_local.kafka import KafkaServer
from junctor_local.ports import free_port

TENANT, POOL = "bench", "default"
_STEPS = {
    "snapshots read": "to the snapshots read",
    "snapshot loaded": "to the snapshot loaded",
    "journal read to its end": "to the journal's end",
    "partition owned": "to the partition owned",
    "service started": "to the service started",
    "configuration applied": "to the configuration applied",
}
BROKER_HEAP_MB = 1024
"""All of it from the start: what Kafka's own start script gives a broker."""
AHEAD = "-15"
"""Niceness of the autogroups (sched(7)) of the bench with its routers, and of the broker."""
NEEDED = (".router.", ".directory.", ".audit.", ".spans.", ".metrics.")


class RouterSite:
    """`async with RouterSite(folder) as site`: a broker, a token issuer, the router's topics. Routers are `spawn`ed.

    `ahead`: before what else runs on the machine (root), as `notes` says.
    """

    def __init__(self, folder: Path, ahead: bool = False) -> None:
        self._ahead = ahead
        self.folder = folder
        self.kafka = KafkaServer(folder / "kafka", heap_mb=BROKER_HEAP_MB, whole_heap=True)
        self.log = KafkaLog("", client_id="bench")
        self.partition = topics.partition_for(TENANT, POOL, 12)
        self._issuer = Issuer("127.0.0.1", 0, folder)
        self._routers: list[RouterProcess] = []

    async def __aenter__(self) -> RouterSite:
        (self.folder / "jwks.json").write_text(json.dumps(self._issuer.key.jwks()))
        threading.Thread(target=self._issuer.serve_forever, daemon=True).start()
        starting = asyncio.create_task(self.kafka.start())
        if self._ahead:
            await until(lambda: self.kafka.pid, 60, "broker's process")
            for process in ("self", str(self.kafka.pid)):
                Path(f"/proc/{process}/autogroup").write_text(AHEAD)
        await starting
        self.log = KafkaLog(self.kafka.bootstrap, client_id="bench")
        await self.log.start()
        declared = topics.declared(places.repository() / "topics.yaml")
        await self.log.ensure_topics([one for one in declared if any(part in f"{one.name}." for part in NEEDED)])
        everything = [TopicPartition(self.journal.topic, p) for p in range(12)]
        await until(lambda: self.log.end_offsets([*everything, self.inputs]), 60, "leader of each partition")
        return self

    async def __aexit__(self, *error: object) -> None:
        for router in self._routers:
            await router.kill()
        await self.log.stop()
        await self.kafka.kill()
        self._issuer.shutdown()
        self._issuer.server_close()

    @property
    def notes(self) -> list[str]:
        heap = f"The broker has its heap of {BROKER_HEAP_MB:,} MB from the start, as Kafka's own start script has it."
        ahead = f"The processes went ahead of other programs (autogroup niceness {AHEAD})."
        return [heap, ahead] if self._ahead else [heap]

    def broker_cpu_seconds(self) -> float:
        """Of the broker's process since its start."""
        used = psutil.Process(self.kafka.pid).cpu_times()
        return float(used.user + used.system)

    @property
    def journal(self) -> TopicPartition:
        return TopicPartition(topics.journal("router"), self.partition)

    @property
    def inputs(self) -> TopicPartition:
        return TopicPartition(topics.inputs("router"), self.partition)

    async def configure(self, values: Iterable[tuple[str, directory_pb2.Value]]) -> None:
        """Directory values, each with its kind, as the directory writes them."""
        records = [
            NewRecord(
                f"{TENANT}/{kind}/{value.id}".encode(),
                directory_pb2.DirectoryValue(tenant=TENANT, version=number + 1, value=value).SerializeToString(),
            )
            for number, (kind, value) in enumerate(values)
        ]
        for start in range(0, len(records), 2_000):
            await self.log.producer().send_many(topics.state("directory"), 0, records[start : start + 2_000])

    async def spawn(self, name: str = "one", pump: str = "faust", **environment: str) -> RouterProcess:
        """A router process, started but not ready. The same name is the same member of the group."""
        port = self._port_of(name)
        settings = {**self._environment(port, pump), **environment}
        router = RouterProcess(name, pump, port, settings, self.folder, self.partition)
        self._routers.append(router)
        await router.start()
        return router

    def running(self, name: str) -> RouterProcess:
        """The last one that was spawned under the name."""
        return next(router for router in reversed(self._routers) if router.name == name)

    def owner(self, address: str) -> RouterProcess:
        """The router that claims with that address."""
        port = int(address.rpartition(":")[2])
        return next(router for router in reversed(self._routers) if router.port == port)

    def _port_of(self, name: str) -> int:
        for router in self._routers:
            if router.name == name:
                return router.port
        return free_port()

    def _environment(self, port: int, pump: str) -> Mapping[str, str]:
        return {
            "JUNCTOR_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "JUNCTOR_STATE_DIR": str(self.folder / f"state-{port}"),
            "JUNCTOR_JWKS": str(self.folder / "jwks.json"),
            "JUNCTOR_GRPC_LISTEN": f"127.0.0.1:{port}",
            "JUNCTOR_TRACING": "false",
            "JUNCTOR_TOKEN_URL": f"http://127.0.0.1:{self._issuer.server_port}/token",
            "JUNCTOR_TOKEN_SECRET": self._issuer.secret,
            "JUNCTOR_ROUTER__PUMP": pump,
        }


class RouterProcess:
    """`python -m junctor_router`."""

    def __init__(
        self, name: str, pump: str, port: int, environment: Mapping[str, str], folder: Path, partition: int
    ) -> None:
        self.name, self.pump, self.port = name, pump, port
        self._partition = partition
        self._environment = environment
        self._log = folder / f"router-{name}.log"
        self._child: asyncio.subprocess.Process | None = None
        self._began = 0.0
        self._log_from = 0
        self._out: IO[bytes] | None = None

    async def start(self) -> None:
        self._out = self._log.open("ab")
        self._log_from, self._began = self._log.stat().st_size, time.time()
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "junctor_router",
            env={**os.environ, **self._environment},
            stdout=self._out,
            stderr=self._out,
        )

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def cpu_seconds(self) -> float:
        used = psutil.Process(self.pid).cpu_times()
        return float(used.user + used.system)

    def memory_mb(self) -> float:
        return float(psutil.Process(self.pid).memory_full_info().uss) / 2**20

    def ready(self) -> bool:
        """Whether it has said that its configuration is applied: the last step of its start."""
        return "to the configuration applied" in self.steps()

    def steps(self) -> dict[str, float]:
        """Seconds from the process's start to what its log tells, by name; of the pool's partition alone."""
        found: dict[str, float] = {}
        for line in self._log.read_bytes()[self._log_from :].splitlines():
            try:
                entry = json.loads(line)
                at = datetime.fromisoformat(entry["time"]).timestamp() - self._began
            except (ValueError, KeyError, TypeError):
                continue
            name = _STEPS.get(entry.get("message", ""))
            if name is not None and entry.get("partition", self._partition) == self._partition:
                found.setdefault(name, round(at, 2))
        return found

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(signal.SIGKILL)
            await self._child.wait()
        if self._out is not None:
            self._out.close()

    async def stop(self) -> None:
        """SIGTERM."""
        if self._child is not None and self._child.returncode is None:
            self._child.terminate()
            await self._child.wait()


async def until(condition: Callable[[], Awaitable[Any] | Any], seconds: float, what: str, every: float = 0.05) -> Any:
    """Waits for something true; a log that does not answer is asked again. Raises `TimeoutError` saying what did not come."""
    limit = time.monotonic() + seconds
    while True:
        with suppress(LogUnavailable):
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
        if time.monotonic() > limit:
            raise TimeoutError(f"within {seconds:.0f} s there was no {what}")
        await asyncio.sleep(every)
