"""`junctor whatif` on a journal that the router's fold wrote on real Kafka."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner
from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_cli.__main__ import cli
from junctor_cli.recorded_pools import pools_in, recorded
from junctor_cli.router_values import read_file
from junctor_journal import topics
from junctor_journal.inputs import new_input
from junctor_journal.kafka import KafkaLog
from junctor_journal.ledger import Ledger, LedgerSettings
from junctor_journal.log import TopicDeclaration
from junctor_journal.static_pump import StaticPump
from junctor_router.application.directory_values import journalled, kind_of
from junctor_router.application.pools import PoolsFold

SAME = """
plans:
  loans: {steps: [{expression: product.loans >= 5}]}
queues:
  loans: {plan: loans, service_level: 80/20s}
agents:
  ann: {device: 1001, attributes: {product.loans: 9}}
  bob: {device: 1002, attributes: {product.loans: 2}}
"""
WIDE = "plans:\n  loans: {steps: [{expression: product.loans >= 1}]}\n"
CONTACTS = 6


def run(*arguments):
    return CliRunner().invoke(cli, list(arguments))


class Writer:
    def __init__(self, ledger):
        self.ledger = ledger
        self.count = 0

    async def do(self, body, tenant="acme"):
        self.count += 1
        input = new_input(body, id=f"{tenant}/{self.count}", tenant=tenant, stream="default", site="a")
        return await self.ledger.command(input, 10)

    def task(self, contact):
        return self.ledger.state(0).pool("acme", "default").state.tasks[contact]


@asynccontextmanager
async def writing(log):
    """A reign over the router's journal."""
    settings = LedgerSettings(site="a", address="here:1", instance_id="test")
    ledger = Ledger("router", log, PoolsFold, None, settings=settings, pump=StaticPump([0]))
    await ledger.start()
    await asyncio.wait_for(ledger.wait_ready(), 20)
    try:
        yield Writer(ledger)
    finally:
        await ledger.stop(3)


async def a_journal(bootstrap, folder):
    """Six contacts that one agent takes one after the other, while another agent may not."""
    log = KafkaLog(bootstrap, client_id="test")
    await log.start()
    names = (topics.inputs, topics.journal, topics.snapshots, topics.events)
    declared = [TopicDeclaration(name("router"), 1) for name in names]
    await log.ensure_topics([*declared, TopicDeclaration(topics.dead_letters("router"), 1)])
    async with writing(log) as writer:
        await tell_all(writer, folder)
    await log.stop()


async def tell_all(writer, folder):
    (folder / "same.yaml").write_text(SAME)
    (folder / "wide.yaml").write_text(WIDE)
    for value in read_file(folder / "same.yaml").values:
        message = pb.ConfigurationChanged(kind=kind_of(value), id=value.id, version=1)
        message.value.Pack(journalled(value))
        await writer.do(message)
        other = pb.ConfigurationChanged(kind=kind_of(value), id=value.id, version=1)
        other.value.Pack(directory_pb2.Value(id=value.id, **{kind_of(value): getattr(value, kind_of(value))}))
        await writer.do(other, tenant="other")
    for agent in ("ann", "bob"):
        await writer.do(pb.LogInRequest(agent_id=agent, state=pb.AGENT_STATE_READY))
    for number in range(CONTACTS):
        await writer.do(
            pb.RequestTaskRequest(contact_id=f"c{number}", queue="loans", channel=contact_pb2.CHANNEL_VOICE, edge="cti")
        )
    for number in range(CONTACTS - 1):
        task = writer.task(f"c{number}")
        await writer.do(
            pb.AcceptReservationRequest(
                contact_id=task.contact_id, agent_id=task.agent_id, reservation_id=task.reservation_id
            )
        )
        await writer.do(pb.EndContactRequest(contact_id=task.contact_id, cause="customer"))
    await writer.do(pb.CancelTaskRequest(contact_id=f"c{CONTACTS - 1}", cause="abandoned"))
    await writer.do(pb.LogOutRequest(agent_id="bob"))


@pytest.fixture(scope="module")
def place(kafka, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whatif")
    asyncio.run(a_journal(kafka.bootstrap, folder))
    return folder, kafka.bootstrap


def whatif(place, plans, *more):
    folder, bootstrap = place
    return run("whatif", "--plans", str(folder / plans), "--tenant", "acme", "--kafka", bootstrap, *more)


def test_unchanged_plans_make_the_recorded_assignments_again(place):
    result = whatif(place, "same.yaml", "--json")
    assert result.exit_code == 0, result.output
    [pool] = json.loads(result.output)
    assert [(c["contact_id"], c["differs"]) for c in pool["contacts"]] == [(f"c{n}", False) for n in range(CONTACTS)]
    assert {c["recorded"]["agent_id"] for c in pool["contacts"][:-1]} == {"ann"}
    assert all(c["recorded"] == c["rerun"] for c in pool["contacts"])
    assert "Pool default: 0 of 6 waits differ." in whatif(place, "same.yaml").output


def test_a_wider_plan_gives_contacts_to_the_other_agent_and_says_what_it_cannot_know(place):
    result = whatif(place, "wide.yaml")
    assert result.exit_code == 0, result.output
    assert "answered by bob" in result.output
    assert "What this comparison cannot know:" in result.output
    assert "contacts get another agent here" in " ".join(result.output.split())
    assert whatif(place, "wide.yaml", "--from", "2001-01-01", "--to", "2001-01-02").output.startswith(
        "Pool default: 0 of 0"
    )


@pytest.mark.parametrize(
    ("plans", "more", "status", "says"),
    [
        ("missing.yaml", [], 1, "cannot be read"),
        ("wide.yaml", ["--tenant", "nobody"], 1, "nothing of the tenant nobody"),
        ("wide.yaml", ["--from", "yesterday"], 2, "is no moment"),
    ],
)
def test_each_wrong_use_is_told(place, plans, more, status, says):
    result = whatif(place, plans, *more)
    assert (result.exit_code, says in result.output) == (status, True), result.output


def shadow(place, plans, *more):
    folder, bootstrap = place
    arguments = ["--plans", str(folder / plans), "--tenant", "acme", "--kafka", bootstrap, "--for", "0", *more]
    return run("shadow", *arguments)


def test_a_shadow_tells_what_the_other_plans_decide_otherwise(place):
    same = shadow(place, "same.yaml", "--since", "3600")
    assert same.exit_code == 0, same.output
    assert same.output == "6 waits, 0 of them otherwise.\n"
    wide = [json.loads(line) for line in shadow(place, "wide.yaml", "--since", "3600", "--json").output.splitlines()]
    assert any("by ann" in one["live"] and "by bob" in one["shadow"] for one in wide)
    assert shadow(place, "wide.yaml").output == "0 waits, 0 of them otherwise.\n"


async def test_a_journal_is_read_on_from_where_it_was_left(place):
    _, bootstrap = place
    log = KafkaLog(bootstrap, client_id="test")
    await log.start()
    entries = pools_in(log, "late", 0)
    await entries.open()
    await entries.read_on()
    assert recorded(entries) == []
    async with writing(log) as writer:
        queue = pb.ConfigurationChanged(kind="queue", id="loans", version=1)
        queue.value.Pack(directory_pb2.Value(id="loans", queue=directory_pb2.Queue(service_level_ms=7_000)))
        await writer.do(queue, tenant="late")
        request = pb.RequestTaskRequest(contact_id="c", queue="loans", channel=contact_pb2.CHANNEL_CHAT, edge="chat")
        await writer.do(request, tenant="late")
        await entries.read_on()
        [pool] = recorded(entries)
        assert pool.behaviour.waits.waits["c"][0].result == "waiting"
        await writer.do(pb.CancelTaskRequest(contact_id="c", cause="abandoned"), tenant="late")
        await entries.read_on()
    assert pool.behaviour.waits.waits["c"][0].result == "abandoned"
    assert pool.thresholds_ms == {"loans": 7_000}
    await entries.close()
    await log.stop()
