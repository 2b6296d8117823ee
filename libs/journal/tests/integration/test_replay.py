"""A journal read again, from anywhere and as a mirror gives it, makes the same state; dead letters on real Kafka."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

from junctor_journal import follower, topics
from junctor_journal.deadletter import DeadLetters
from junctor_journal.follower import Follower
from junctor_journal.log import NewRecord
from junctor_journal.static_pump import StaticPump
from scene import Load, applied, prepare, values
from tally_messages import tally_pb
from tally_service import add, ask, new_fold, new_ledger

PARTITIONS = 2
PARTS = Path(__file__).parent.parent / "parts"


async def followed(log, service):
    """(sequence, state hash) of each partition, by a follower that starts from nothing."""
    reader = Follower(service, log, new_fold)
    await reader.start()
    async with asyncio.timeout(20):
        await reader.wait_ready()
    found = [(reader.place(p).seq, reader.state(p).state_hash()) for p in range(PARTITIONS)]
    assert all(reader.divergences(p) == 0 for p in range(PARTITIONS))
    await reader.stop()
    return found


async def a_journal(log, service, every):
    """Several reigns with snapshots; gives what the last owner's process holds."""
    await prepare(log, service, PARTITIONS)
    load = Load(log, service, PARTITIONS, 800).start()
    taken = 0
    for _ in range(3):
        ledger = new_ledger(log, service, pump=StaticPump(range(PARTITIONS)), every=every)
        await ledger.start()
        await ledger.wait_ready()
        await asyncio.sleep(0.8)
        await ledger.stop(0)
        taken += ledger._snapshots.written
    await load.stop()
    ledger = new_ledger(log, service, pump=StaticPump(range(PARTITIONS)), every=every)
    await ledger.start()
    await applied(log, service, PARTITIONS)
    state = [(ledger.position(p), ledger.follower.state(p).state_hash()) for p in range(PARTITIONS)]
    taken += ledger._snapshots.written
    await ledger.stop(2)
    return state, taken


async def test_a_replay_is_equal_by_hash_with_and_without_snapshots(kafka_log, service_name, monkeypatch):
    state, taken = await a_journal(kafka_log, service_name, every=100)
    assert taken > 0
    assert await followed(kafka_log, service_name) == state
    monkeypatch.setattr(follower, "_LARGE_BYTES", 0)
    assert await followed(kafka_log, service_name) == state
    bare = service_name + "x"
    await prepare(kafka_log, bare, PARTITIONS)
    for partition in range(PARTITIONS):
        journal = await values(kafka_log, topics.journal(service_name), partition)
        await kafka_log.producer().send_many(
            topics.journal(bare), partition, [NewRecord(r.key, r.value) for r in journal]
        )
    assert await followed(kafka_log, bare) == state


async def test_a_replay_in_another_process_is_equal_by_hash(kafka, kafka_log, service_name):
    state, _ = await a_journal(kafka_log, service_name, every=100_000)
    script = """
import asyncio, sys; sys.path.insert(0, sys.argv[1])
from junctor_journal.kafka import KafkaLog
from junctor_journal.follower import Follower
from tally_service import new_fold
async def main():
    log = KafkaLog(sys.argv[2]); await log.start()
    follower = Follower(sys.argv[3], log, new_fold); await follower.start(); await follower.wait_ready()
    for p in range(2): print(follower.place(p).seq, follower.state(p).state_hash().hex())
    await follower.stop(); await log.stop()
asyncio.run(main())
"""
    answer = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, str(PARTS), kafka.bootstrap, service_name],
        capture_output=True,
        text=True,
        check=True,
        timeout=40,
        env={"PYTHONHASHSEED": "77", "PATH": ""},
    )
    assert answer.stdout.split() == [str(part) for seq, digest in state for part in (seq, digest.hex())]


async def test_a_mirrors_copy_with_repeats_makes_the_same_state(kafka_log, service_name):
    state, _ = await a_journal(kafka_log, service_name, every=100_000)
    copy = service_name + "m"
    await prepare(kafka_log, copy, PARTITIONS)
    random.seed(3)
    for partition in range(PARTITIONS):
        journal = await values(kafka_log, topics.journal(service_name), partition)
        records, at = journal[:5], 0
        while at < len(journal):
            step = random.randint(1, 300)
            records += journal[at : at + step]
            at += step
            if at < len(journal) and random.random() < 0.5:
                at = max(0, at - random.randint(0, 400))
        assert len(records) > len(journal)
        await kafka_log.producer().send_many(
            topics.journal(copy), partition, [NewRecord(r.key, r.value) for r in records]
        )
    assert await followed(kafka_log, copy) == state


async def test_a_copy_that_lost_or_swapped_records_stops_at_the_gap_and_alarms(kafka_log, service_name, caplog):
    await a_journal(kafka_log, service_name, every=100_000)
    copy = service_name + "c"
    await prepare(kafka_log, copy, PARTITIONS)
    journal = await values(kafka_log, topics.journal(service_name), 0)
    first = [NewRecord(r.key, r.value) for r in journal]
    await kafka_log.producer().send_many(topics.journal(copy), 0, first[:50] + first[51:100])
    await kafka_log.producer().send_many(topics.journal(copy), 1, [*first[:50], first[51], first[50], *first[52:100]])
    assert [seq for seq, _ in await followed(kafka_log, copy)] == [48, 48]
    assert "a journal has a gap or a broken chain" in caplog.text


async def test_dead_letters_are_kept_and_driven_again(kafka_log, service_name, monkeypatch):
    import tally

    await prepare(kafka_log, service_name, PARTITIONS)
    ledger = new_ledger(kafka_log, service_name, pump=StaticPump(range(PARTITIONS)))
    await ledger.start()
    await ledger.wait_ready()
    assert (await ledger.command(ask("1", tally_pb.BreakRequest()), deadline=20)).refusal.code == 13
    assert (await ledger.command(add("2", 4), deadline=20)).response.total == 4
    letters = DeadLetters(kafka_log, service_name)
    async with asyncio.timeout(10):
        while not (found := await letters.list()):
            await asyncio.sleep(0.1)
    (letter,) = found
    assert (letter.dead.error, letter.input.id, letter.dead.service) == ("ZeroDivisionError", "1", service_name)
    monkeypatch.setattr(tally, "REPAIRED", True)
    await letters.redrive(letter.id)
    partition = ledger.partition_of("t", "s")
    await ledger.wait_position(partition, ledger.position(partition) + 1, 10)
    assert ledger.state(partition).get("t", "s").total == 5
    await ledger.stop(2)


async def test_the_log_may_come_after_the_service(own_kafka, service_name):
    from scene import new_log

    own_kafka.kill()
    log = new_log(own_kafka)
    await log.start()
    ledger = new_ledger(log, service_name, pump=StaticPump(range(PARTITIONS)))
    await ledger.start()
    assert not ledger.ready
    await own_kafka.start_again()
    async with asyncio.timeout(20):
        while not log.available:
            await asyncio.sleep(0.05)
    await prepare(log, service_name, PARTITIONS)
    async with asyncio.timeout(20):
        await ledger.wait_ready()
    assert (await ledger.command(add("1", 1), deadline=10)).response.total == 1
    await ledger.stop(2)
    await log.stop()
