"""What the fault tests share: worker processes, load, and the judgement of what lies in Kafka."""

import asyncio
import signal
import sys
from pathlib import Path

from judge import compare, judge
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import TopicPartition
from tally_service import add, declarations

WORKER = Path(__file__).parent / "worker.py"


class Worker:
    def __init__(self, bootstrap, service, partitions, instance, pump="static", **env):
        self._arguments = [str(WORKER), bootstrap, service, str(partitions), instance, pump]
        self._env = {f"TALLY_{name.upper()}": str(value) for name, value in env.items()}
        self.process = None

    async def start(self):
        import os

        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, **self._env},
        )
        async with asyncio.timeout(40):
            assert await self.process.stdout.readline() == b"ready\n", "the worker ended"
        return self

    def signal(self, number):
        self.process.send_signal(number)

    async def kill(self):
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()


class Load:
    """Inputs at a rate, to all partitions, some of them twice, as a mirror or a retry repeats them."""

    def __init__(self, log, service, partitions, rate, name="i"):
        self._log, self._service, self._partitions, self._rate, self._name = log, service, partitions, rate, name
        self.sent = 0
        self._task = None

    def start(self):
        self._task = asyncio.ensure_future(self._run())
        return self

    async def stop(self):
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self):
        while True:
            await asyncio.gather(*(self._send(self.sent + n) for n in range(max(1, self._rate // 50))))
            self.sent += max(1, self._rate // 50)
            await asyncio.sleep(0.02)

    async def _send(self, n):
        input = add(f"{self._name}{n}", 1, stream=f"s{n % 16}")
        partition = topics.partition_for(input.tenant, input.stream, self._partitions)
        for _ in range(2 if n % 25 == 0 else 1):
            await self._log.producer().send(
                topics.inputs(self._service), b"k", input.SerializeToString(), partition=partition
            )


async def prepare(log, service, partitions):
    await log.ensure_topics(declarations(service, partitions))


async def values(log, topic, partition):
    """All records of a partition, now."""
    tp = TopicPartition(topic, partition)
    end = (await log.end_offsets([tp]))[tp]
    tail = await log.tail({tp: 0}, wait_ms=50)
    found = []
    while await tail.position(tp) < end:
        for records in (await tail.getmany(200)).values():
            found += records
    await tail.close()
    return [record for record in found if record.offset < end]


async def judged(log, service, partitions):
    """(verdict, count) of each partition."""
    results = []
    for partition in range(partitions):
        verdict = judge([r.value for r in await values(log, topics.journal(service), partition)])
        inputs = [
            (r.topic, r.partition, r.offset, r.value) for r in await values(log, topics.inputs(service), partition)
        ]
        results.append((verdict, compare(verdict, inputs)))
    return results


async def written(log, service, partitions, entries, limit=30.0):
    """Waits until each partition's journal has so many records."""
    journals = [TopicPartition(topics.journal(service), partition) for partition in range(partitions)]
    async with asyncio.timeout(limit):
        while min((await log.end_offsets(journals)).values()) < entries:
            await asyncio.sleep(0.01)


async def applied(log, service, partitions, limit=30.0):
    """Waits until every input is applied, by the judge; gives the judgement."""
    async with asyncio.timeout(limit):
        while True:
            results = await judged(log, service, partitions)
            if all(count.lost == 0 for _, count in results):
                return results
            await asyncio.sleep(0.3)


def assert_exact(results):
    """Nothing lost, applied twice, out of order or changed."""
    for verdict, count in results:
        assert (count.lost, count.duplicated, count.reordered, count.changed) == (0, 0, 0, 0), count
        assert verdict.gaps == 0


def new_log(kafka, client_id="test"):
    return KafkaLog(kafka.bootstrap, client_id=client_id)
