"""`junctor replay` and `junctor dlq` on a journal that a service's own fold wrote, on real Kafka."""

import asyncio
import dataclasses
import json

import pytest
from click.testing import CliRunner
from junctor.recording.v1 import recording_pb2 as pb
from junctor_cli import journal_replay
from junctor_cli.__main__ import cli
from junctor_journal import topics
from junctor_journal.aggregates import AggregateFold
from junctor_journal.deadletter import DeadLetters
from junctor_journal.inputs import new_input
from junctor_journal.kafka import KafkaLog
from junctor_journal.ledger import Ledger, LedgerSettings
from junctor_journal.log import NewRecord, TopicDeclaration
from junctor_journal.static_pump import StaticPump
from junctor_recording.application.mapping import MAPPING, new_fold
from junctor_recording.domain import recording

PARTITIONS = 2
CONTACTS = 30


def run(*arguments):
    return CliRunner().invoke(cli, list(arguments))


async def a_journal(bootstrap):
    """Two reigns over recordings, a record of nobody's, and an input that cannot be read."""
    log = KafkaLog(bootstrap, client_id="test")
    await log.start()
    names = (topics.inputs, topics.journal, topics.snapshots, topics.events)
    declared = [TopicDeclaration(name("recording"), PARTITIONS) for name in names]
    await log.ensure_topics([*declared, TopicDeclaration(topics.dead_letters("recording"), 1)])
    for reign in range(2):
        settings = LedgerSettings(site="a", address="here:1", instance_id="test")
        ledger = Ledger("recording", log, new_fold, None, settings=settings, pump=StaticPump(range(PARTITIONS)))
        await ledger.start()
        await asyncio.wait_for(ledger.wait_ready(), 20)
        for n in range(CONTACTS):
            contact = f"{reign}-{n}"
            for verb, request in (
                ("start", pb.StartRecordingRequest(request_id="r", tenant="acme", contact_id=contact, queue="q")),
                ("pause", pb.PauseRecordingRequest(request_id="r", tenant="acme", contact_id=contact, reason="card")),
            ):
                id = f"{contact}/{verb}"
                await ledger.command(new_input(request, id=id, tenant="acme", stream=contact, site="a"), 10)
        if reign == 1:
            await log.producer().send(topics.journal("recording"), b"x", b"\xff\xff", [], partition=0)
            await log.producer().send_many(topics.inputs("recording"), 1, [NewRecord(b"acme/x", b"\xff\xff")])
            last = new_input(request, id="last", tenant="acme", stream=contact, site="a")
            await ledger.submit(1, last, 10)
            await until(lambda: ledger.position(1) > 0)
            await asyncio.wait_for(a_letter(log), 20)
        await ledger.stop(3)
    await log.stop()


async def a_letter(log):
    while not await DeadLetters(log, "recording").list():
        await asyncio.sleep(0.05)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def bootstrap(kafka):
    asyncio.run(a_journal(kafka.bootstrap))
    return kafka.bootstrap


def test_a_replay_is_bit_exact_and_counts(bootstrap):
    result = run("replay", "--service", "recording", "--kafka", bootstrap)
    assert result.exit_code == 0, result.output
    assert "Bit-exact: " in result.output
    first, second = result.output.splitlines()[:2]
    assert first.startswith("partition  0: valid ")
    assert "void 1," in first
    assert "reigns 2" in second
    assert "dead 1)" in second
    one = run("replay", "--service", "recording", "--partition", "1", "--kafka", bootstrap)
    assert one.exit_code == 0
    assert second in one.output
    assert "partition  0" not in one.output


def test_another_program_differs_at_its_first_decision(bootstrap, monkeypatch):
    def decide(state, command, now):
        found = recording.decide(state, command, now)
        changed = [
            dataclasses.replace(event, queue="other") if isinstance(event, recording.RecordingRequested) else event
            for event in found.events
        ]
        return dataclasses.replace(found, events=tuple(changed))

    def other():
        aggregate = dataclasses.replace(new_fold()._aggregate, decide=decide)
        return AggregateFold(aggregate, MAPPING)

    monkeypatch.setattr(journal_replay, "other_fold", other, raising=False)
    monkeypatch.setitem(journal_replay.FOLDS, "recording", "junctor_cli.journal_replay:other_fold")
    result = run("replay", "--service", "recording", "--kafka", bootstrap)
    assert result.exit_code == 1
    assert "Different: partition" in result.output
    assert "junctor.recording.v1.StartRecordingRequest" in result.output
    assert "events" in result.output
    assert "Bit-exact" not in result.output


def test_dead_letters_are_listed_shown_and_driven_again(bootstrap):
    def ids():
        lines = run("dlq", "list", "--service", "recording", "--kafka", bootstrap).output.splitlines()
        return [line.split()[0] for line in lines]

    [id] = ids()
    assert id.startswith("1/")
    shown = json.loads(run("dlq", "show", id, "--service", "recording", "--kafka", bootstrap).output)
    assert (shown["key"], shown["bytes"], shown["attempts"]) == ("acme/x", 2, 0)
    assert shown["source"]["topic"] == "junctor.recording.inputs.v1"
    again = run("dlq", "redrive", id, "--service", "recording", "--kafka", bootstrap)
    assert again.exit_code == 0, again.output
    assert "1 driven again." in again.output


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["replay", "--service", "nobody"], 2, "nobody"),
        (["replay", "--service", "recording", "--partition", "2"], 1, "partitions 0 to 1"),
        (["replay", "--service", "ivr"], 1, "no topic junctor.ivr.journal.v1"),
        (["dlq", "redrive", "--service", "recording"], 2, "--all"),
        (["dlq", "show", "7/7", "--service", "recording"], 1, "no letter 7/7"),
    ],
)
def test_each_wrong_use_is_told(bootstrap, arguments, status, says):
    result = run(*arguments, "--kafka", bootstrap)
    assert (result.exit_code, says in result.output) == (status, True), result.output


def test_folds_are_those_of_all_services():
    for service in journal_replay.FOLDS:
        fold = journal_replay.fold_of(service)()
        assert fold.next_due() is None
        assert fold.hash()


async def test_topics_are_made_once_and_asked_for_again_without_harm(kafka, tmp_path) -> None:
    declared = tmp_path / "topics.yaml"
    declared.write_text("topics:\n  - {name: junctor.made.v1, partitions: 3, cleanup: compact, retention_ms: -1}\n")
    for _ in range(2):
        made = await asyncio.to_thread(run, "topics", "--kafka", kafka.bootstrap, "-f", str(declared))
        assert (made.exit_code, "1 topics are there" in made.output) == (0, True), made.output
    log = KafkaLog(kafka.bootstrap, client_id="test")
    await log.start()
    assert await log.partitions("junctor.made.v1") == 3
    await log.stop()


async def test_topics_makes_the_copies_of_another_sites_topics(kafka, tmp_path) -> None:
    declared = tmp_path / "topics.yaml"
    declared.write_text(
        "topics:\n"
        "  - {name: junctor.far.inputs.v1, partitions: 3, mirrored: true}\n"
        "  - {name: junctor.far.events.v1, partitions: 3}\n"
    )
    made = await asyncio.to_thread(
        run, "topics", "--kafka", kafka.bootstrap, "-f", str(declared), "--mirrored-from", "b"
    )
    assert (made.exit_code, made.output) == (0, "3 topics are there.\n")
    log = KafkaLog(kafka.bootstrap, client_id="test")
    await log.start()
    assert await log.partitions("b.junctor.far.inputs.v1") == 3
    assert await log.partitions("b.junctor.far.events.v1") == 0
    await log.stop()
