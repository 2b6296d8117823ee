"""Two sites with a broker and a process each: a chat moves to the other site, and the first one comes back with its old copy."""

import asyncio
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.router.v1 import router_pb2
from junctor_journal import topics
from junctor_journal.kafka import KafkaLog
from junctor_journal.log import NewRecord, TopicPartition
from junctor_local.kafka import KafkaServer
from junctor_local.ports import free_port
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError
from junctor_service.heartbeats import TOPIC as HEARTBEATS

TOPICS = Path(__file__).parents[4] / "topics.yaml"
MIRRORED = (topics.events("omnichannel"), HEARTBEATS)


class Mirror:
    """What MirrorMaker does: copies one site's topics to the other one, in order; can be held."""

    def __init__(self, site, source, target):
        self._site, self._source, self._target = site, source, target
        self._open = asyncio.Event()
        self._open.set()
        self._task = asyncio.create_task(self._run())

    def hold(self):
        self._open.clear()

    def go_on(self):
        self._open.set()

    async def stop(self):
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self):
        places = {TopicPartition(name, p): 0 for name in MIRRORED for p in range(await self._source.partitions(name))}
        tail = await self._source.tail(places)
        try:
            while True:
                for place, records in (await tail.getmany(200)).items():
                    await self._open.wait()
                    copies = [NewRecord(r.key, r.value, r.headers, r.timestamp) for r in records]
                    name = topics.of_site(self._site, place.topic)
                    await self._target.producer().send_many(name, place.partition, copies)
        finally:
            await tail.close()


class Pair:
    """Site a is the fixture's; b has its own broker, and the same router, issuer and keys."""

    def __init__(self, site, log_b, kafka_b):
        self.a, self._kafka_b = site, kafka_b
        self.logs = {"a": site.log, "b": log_b}
        self._grpc = {name: f"127.0.0.1:{free_port()}" for name in "ab"}
        self.serving = {}

    async def start(self, name):
        other = "b" if name == "a" else "a"
        self.serving[name] = await self.a.process(
            JUNCTOR_SITE=name,
            JUNCTOR_OTHER_SITE=other,
            JUNCTOR_KAFKA_BOOTSTRAP=self.a.bootstrap if name == "a" else self._kafka_b.bootstrap,
            JUNCTOR_OMNICHANNEL__GRPC_LISTEN=self._grpc[name],
            JUNCTOR_OMNICHANNEL__OTHER_SITES=f"{other}={self._grpc[other]}",
            JUNCTOR_OMNICHANNEL__RECONNECT_GRACE="10m",
        )

    async def binds(self, customer, name, reservation):
        """The router, as that site hears it, gives the conversation to alice."""
        asked = self.a.router.requested
        edge = f"omnichannel/{name}"
        await self.a.until(lambda: [r for r in self.a.asked(asked, customer) if r.edge == edge])
        accepted = router_pb2.ReservationAccepted(
            contact_id=customer.contact_id, reservation_id=reservation, agent_id="alice", edge=edge
        )
        told = len(customer.states)
        await self.a.router_says(accepted, log=self.logs[name])
        await customer.until(lambda: "with_agent" in customer.states[told:])

    async def writes(self, name, customer, text, seconds=10.0):
        request = pb.SendMessageRequest(
            request_id=str(uuid.uuid4()), tenant="demo", contact_id=customer.contact_id, text=text
        )
        async with self.a.agent(self.serving[name]) as alice:
            await rpc(alice.SendMessage(request, timeout=seconds))

    async def refused(self, name, customer):
        """Whether a message of the agent's is held, for as long as it is tried."""
        with pytest.raises(ServiceError) as error:
            await self.writes(name, customer, "into the old copy", seconds=2.0)
        return error.value.retryable and error.value.code in {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}


@pytest.fixture
async def pair(site, tmp_path):
    declared = {one.name: one for one in topics.declared(TOPICS)}
    async with KafkaServer(tmp_path / "kafka-b", heap_mb=256) as kafka:
        log = KafkaLog(kafka.bootstrap, client_id="test-b")
        await log.start()
        await site.prepare(log)
        for own, other in ((site.log, "b"), (log, "a")):
            copies = [replace(declared[name], name=topics.of_site(other, name)) for name in MIRRORED]
            await own.ensure_topics([declared[HEARTBEATS], *copies])
        pair = Pair(site, log, kafka)
        pair.mirrors = {"to b": Mirror("a", site.log, log), "to a": Mirror("b", log, site.log)}
        try:
            yield pair
        finally:
            for mirror in pair.mirrors.values():
                await mirror.stop()
            await log.stop()


async def test_nobody_writes_into_the_old_copy_of_a_conversation_that_has_moved(pair):
    await asyncio.gather(pair.start("a"), pair.start("b"))
    at = {"moves": "a", "stays": "a"}
    moves = pair.a.customer(pair.serving["a"])
    stays = pair.a.customer(pair.serving["a"])
    moves._url = lambda: f"ws://{pair.serving[at['moves']].web}/"
    stays._url = lambda: f"ws://{pair.serving[at['stays']].web}/"
    async with moves, stays:
        for number, customer in enumerate((moves, stays)):
            await customer.hears("bot")
            await customer.say("a loan please")
            await pair.binds(customer, "a", f"r{number}")

        at["moves"] = "b"
        await pair.serving["a"].kill()
        pair.mirrors["to a"].hold()
        await pair.binds(moves, "b", "r9")
        await pair.start("a")

        assert await pair.refused("a", moves)
        assert await pair.refused("a", stays), "nobody knows of this one either"
        await stays.say("is anybody there?")
        await stays.until(lambda: any(error["code"] == "unavailable" for error in stays.errors))
        fresh = pair.a.customer(pair.serving["a"])
        async with fresh:
            await fresh.hears("bot")

        pair.mirrors["to a"].go_on()
        await pair.writes("a", stays, "yes")
        await stays.until(lambda: "yes" in [message.text for message in stays.messages])
        await pair.writes("a", moves, "where you are now")
        await moves.until(lambda: "where you are now" in [message.text for message in moves.messages])
        assert "into the old copy" not in [message.text for message in (*moves.messages, *stays.messages)]

        # The other site is away: what is here goes on.
        await asyncio.gather(pair.serving["a"].kill(), pair.serving["b"].kill())
        await pair.start("a")
        await pair.writes("a", stays, "still here", seconds=20.0)
        await stays.until(lambda: "still here" in [message.text for message in stays.messages])
