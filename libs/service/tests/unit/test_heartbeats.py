"""Heartbeats: who is heard, who has fallen silent, and whom a process's own stillness does not silence."""

import asyncio
import time

from junctor.site.v1 import site_pb2
from junctor_journal.log import TopicDeclaration
from junctor_journal.memory import MemoryLog
from junctor_service.heartbeats import SILENT_SECONDS, TOPIC, Heartbeats, Standing


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def beat(site="b", service="cti", process="p", **more):
    return site_pb2.Heartbeat(site=site, service=service, process=process, **more)


def listening(clock, log=None):
    return Heartbeats("router", "a", "b", log or MemoryLog(), hears=True, clock=clock)


def pass_time(beats, clock, seconds):
    """As the process lives it: it looks twice a second."""
    for _ in range(round(seconds / 0.5)):
        clock.now += 0.5
        beats.edges()


def test_an_edge_falls_silent_two_seconds_after_its_last_process_was_heard():
    clock = Clock()
    beats = listening(clock)
    assert beats.edges() == {}
    beats.hear(beat(slot="0"))
    pass_time(beats, clock, 1.0)
    beats.hear(beat(process="q", slot="1"))
    pass_time(beats, clock, SILENT_SECONDS - 0.5)
    assert beats.edges() == {"cti/b": (True, False), "cti/b/0": (False, True), "cti/b/1": (True, True)}
    assert [heard.beat.process for heard in beats.of("b", "cti")] == ["q"]
    pass_time(beats, clock, 0.5)
    assert beats.edges() == {"cti/b": (False, False), "cti/b/0": (False, True), "cti/b/1": (False, True)}
    assert beats.of("b", "cti") == []
    beats.hear(beat())
    assert beats.edges()["cti/b"][0]


def test_a_process_that_stood_still_silences_nobody():
    clock = Clock()
    beats = listening(clock)
    beats.hear(beat())
    clock.now += 30.0
    assert beats.edges() == {"cti/b": (True, False)}
    pass_time(beats, clock, SILENT_SECONDS)
    assert beats.edges() == {"cti/b": (False, False)}


def test_while_kafka_is_away_nobody_falls_silent():
    clock, log = Clock(), MemoryLog()
    beats = listening(clock, log)
    beats.hear(beat())
    log.down()
    pass_time(beats, clock, 10.0)
    assert beats.edges()["cti/b"][0]
    log.up()
    pass_time(beats, clock, SILENT_SECONDS + 0.5)
    assert not beats.edges()["cti/b"][0]


def test_nobody_leads_for_as_long_as_nobody_who_does_was_heard():
    clock, log = Clock(), MemoryLog()
    beats = listening(clock, log)
    pass_time(beats, clock, 3.0)
    assert beats.unled("router", 4) == 3.0
    beats.hear(beat(service="router", leads=[3, 4]))
    pass_time(beats, clock, 5.0)
    assert (beats.unled("router", 4), beats.unled("router", 5), beats.unled("directory", 4)) == (5.0, 8.0, 8.0)
    log.down()
    pass_time(beats, clock, 60.0)
    log.up()
    assert beats.unled("router", 4) < 6.0, "nothing could be heard while Kafka was away"


async def test_it_tells_and_hears_itself_and_what_the_mirror_brings():
    log = MemoryLog()
    await log.ensure_topics([TopicDeclaration(TOPIC, 1), TopicDeclaration(f"b.{TOPIC}", 1)])
    beats = Heartbeats("router", "a", "b", log, hears=True, standing=lambda: Standing("1", "12 partitions", (4, 5)))
    seen = []
    beats.listen(seen.append)
    await beats.start()
    try:
        async with asyncio.timeout(10):
            while not beats.of("a", "router"):
                await asyncio.sleep(0.01)
            await log.producer().send(f"b.{TOPIC}", b"", b"\\xff no heartbeat")
            await log.producer().send(f"b.{TOPIC}", b"", beat().SerializeToString())
            while not beats.of("b", "cti"):
                await asyncio.sleep(0.01)
    finally:
        await beats.stop(time.monotonic() + 1)
    own = beats.of("a", "router")[0].beat
    assert (own.process, own.version, own.configuration, list(own.positions)) == (
        beats.process, "1", "12 partitions", [4, 5],
    )  # fmt: skip
    assert seen[-1].service == "cti"
