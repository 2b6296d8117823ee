"""Two sites on two real brokers with MirrorMaker both ways: one is lost with its Kafka in the middle of its load, the other
takes over, the lost one returns, and gets the lead back. The judge looks at both journals."""

import asyncio

import pytest
from judge import chain
from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_journal.void_tail import void_decisions
from junctor_local.kafka import KafkaServer
from junctor_local.mirror import Mirror, copies_of
from scene import Load, values
from tally_service import declarations
from two_sites import OTHER, Register, site_ledger

SERVICE = "tally"
PARTITIONS = 2
LIMIT = 90.0


class Site:
    def __init__(self, name, folder, register):
        self.name, self.register = name, register
        self.kafka = KafkaServer(folder / name)
        self.log = self.ledger = None

    async def start(self, other):
        self.log = KafkaLog(self.kafka.bootstrap, client_id=self.name)
        await self.log.start()
        self.far = KafkaLog(other.kafka.bootstrap, client_id=f"{self.name}-far", write_timeout=1.0)
        await self.far.start()
        self.ledger = site_ledger(
            self.log,
            self.name,
            self.register.sites[self.name],
            far=self.far,
            service=SERVICE,
            partitions=PARTITIONS,
            every=300,
        )
        await self.ledger.start()

    async def ready(self):
        async with asyncio.timeout(LIMIT):
            await self.ledger.wait_ready()

    async def stop(self):
        for part in (self.ledger, self.far, self.log):
            await (part.stop(0.5) if part is self.ledger else part.stop())

    async def inputs(self):
        """Ids in the site's own inputs."""
        found = []
        for partition in range(PARTITIONS):
            records = await values(self.log, topics.inputs(SERVICE), partition)
            found.append({pb.Input.FromString(record.value).id for record in records})
        return found

    async def journal(self, partition):
        return [record.value for record in await values(self.log, topics.journal(SERVICE), partition)]


@pytest.fixture
async def sites(tmp_path):
    register = Register()
    made = {name: Site(name, tmp_path, register) for name in OTHER}
    await asyncio.gather(*(site.kafka.start() for site in made.values()))
    names = [topics.inputs(SERVICE), topics.journal(SERVICE)]
    mirrors = []
    try:
        for name, site in made.items():
            log = KafkaLog(site.kafka.bootstrap)
            await log.start()
            declared = declarations(SERVICE, PARTITIONS)
            await log.ensure_topics(declared)
            await log.ensure_topics(copies_of(OTHER[name], [d for d in declared if d.name in names]))
            await log.stop()
        for name, site in made.items():
            source = made[OTHER[name]]
            mirrors.append(
                Mirror(
                    tmp_path / f"mirror-{name}",
                    source=(source.name, source.kafka.bootstrap),
                    target=(name, site.kafka.bootstrap),
                    topics=names,
                )
            )
            await mirrors[-1].start()
        for mirror in mirrors:
            await mirror.mirroring(LIMIT)
        for partition in range(PARTITIONS):
            register.grant("a", partition)
        for name, site in made.items():
            await site.start(made[OTHER[name]])
        await asyncio.gather(*(site.ready() for site in made.values()))
        yield made
    finally:
        for site in made.values():
            if site.ledger is not None:
                await site.stop()
        await asyncio.gather(*(mirror.kill() for mirror in mirrors))
        await asyncio.gather(*(site.kafka.kill() for site in made.values()))


async def eventually(condition, limit=LIMIT):
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.05)


def leads(site, epoch):
    return site.ledger.owned() == set(range(PARTITIONS)) and all(
        site.ledger.lead(p).site_epoch == epoch for p in range(PARTITIONS)
    )


async def test_a_site_is_lost_with_its_kafka_comes_back_and_leads_again(sites):
    a, b = sites["a"], sites["b"]
    loads = [Load(site.log, SERVICE, PARTITIONS, 100, name=f"{site.name}-").start() for site in (a, b)]
    await eventually(lambda: all(b.ledger.position(p) > 100 for p in range(PARTITIONS)))

    await loads[0].stop()
    await a.kafka.kill()
    for partition in range(PARTITIONS):
        b.register.grant("b", partition)
    await eventually(lambda: leads(b, 2))
    before = [b.ledger.position(p) for p in range(PARTITIONS)]
    await eventually(lambda: all(b.ledger.position(p) > n + 50 for p, n in enumerate(before)))

    await a.stop()
    await a.kafka.start()
    await a.start(b)
    await a.ready()
    await loads[1].stop()
    sent = [one | other for one, other in zip(await a.inputs(), await b.inputs(), strict=True)]
    counted = {}

    async def all_applied():
        for partition in range(PARTITIONS):
            journals = {name: await site.journal(partition) for name, site in sites.items()}
            counted[partition] = [entry.input.id for entry in chain(journals)]
        return all(set(counted[p]) == sent[p] for p in range(PARTITIONS))

    async with asyncio.timeout(LIMIT):
        while not await all_applied():
            await asyncio.sleep(0.3)
    assert all(len(ids) == len(set(ids)) for ids in counted.values()), "an input was applied twice"
    await eventually(lambda: all(a.ledger.position(p) == len(counted[p]) for p in range(PARTITIONS)))

    for partition in range(PARTITIONS):
        await b.ledger.hand_over(partition, "a", 10)
    await eventually(lambda: leads(a, 3))
    await b.log.producer().send(topics.inputs(SERVICE), b"k", pb.Input(id="none").SerializeToString(), partition=0)
    last = Load(b.log, SERVICE, PARTITIONS, 50, name="last-").start()
    await eventually(lambda: all(a.ledger.position(p) > len(counted[p]) + 20 for p in range(PARTITIONS)))
    await last.stop()
    await eventually(lambda: all(a.ledger.position(p) == b.ledger.position(p) for p in range(PARTITIONS)))
    for partition in range(PARTITIONS):
        states = [site.ledger.follower.state(partition) for site in (a, b)]
        assert states[0].state_hash() == states[1].state_hash()
        assert [site.ledger.follower.divergences(partition) for site in (a, b)] == [0, 0]
    void = [one async for one in void_decisions(a.log, SERVICE, "a")]
    assert all(one.site == "a" and one.site_epoch == 1 and one.decided_again for one in void)
