"""What should not come and comes: each has a clear error or a defined outcome, and the partition goes on."""

import json
from types import SimpleNamespace

import pytest
from google.protobuf.any_pb2 import Any
from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_journal.partition_state import PartitionState, Reign
from junctor_journal.record import EpochPair
from junctor_router.application.pools import PoolsFold
from junctor_router.application.queries import Queries
from junctor_router.domain import commands as c
from junctor_router.domain.configuration import CalendarValue, OpenHours, PlanValue, QueueValue, Step
from junctor_router.domain.explanation import explain_contact
from junctor_router.domain.reach import NOBODY_EVER, hopeless
from junctor_router.domain.values import AgentState, AttributeType, Channel, TaskState
from router_given import START, names

REIGN = Reign(EpochPair(1, 1), 7)
YEAR_MS = 366 * 24 * 3_600_000


class Partition:
    """What an owner writes and a follower applies again, without a log between them."""

    def __init__(self):
        self.owner = PartitionState("router", PoolsFold())
        self.follower = PartitionState("router", PoolsFold())
        self.count = 0
        value = pb.ConfigurationChanged(kind="queue", id="sales", version=1)
        value.value.Pack(directory_pb2.Value(id="sales", queue=directory_pb2.Queue()))
        self.take(value)

    def input(self, body):
        self.count += 1
        packed = body
        if not isinstance(body, Any):
            packed = Any()
            packed.Pack(body)
        return journal_pb2.Input(id=f"i{self.count}", tenant="acme", stream="default", body=packed)

    def take(self, body):
        """The entry, and what the follower finds different."""
        value = self.owner.take(REIGN, self.input(body), None, START + self.count)
        return self.follow(journal_pb2.JournalRecord.FromString(value).entry, value)

    def follow(self, entry, value):
        return entry, self.follower.replay(entry, value)

    def goes_on(self):
        entry, differing = self.take(request("after"))
        assert (entry.HasField("dead"), differing) == (False, [])
        assert self.follower.fold.hash() == self.owner.fold.hash()


def request(contact_id, channel=contact_pb2.CHANNEL_VOICE):
    return pb.RequestTaskRequest(contact_id=contact_id, queue="sales", channel=channel)


def of_a_newer_version(name="RequestHologramRequest"):
    return Any(type_url=f"type.googleapis.com/junctor.router.v1.{name}", value=b"\x0a\x01x")


def test_an_input_of_a_newer_version_is_a_dead_letter():
    partition = Partition()
    entry, differing = partition.take(of_a_newer_version())
    assert (entry.dead.error, differing) == ("UnknownMessage", [])
    assert "junctor.router.v1.RequestHologramRequest" in entry.dead.reason
    partition.goes_on()


def test_a_message_that_is_no_command_is_a_dead_letter():
    partition = Partition()
    entry, _ = partition.take(pb.TaskQueued(contact_id="c1"))
    assert "no command of the router" in entry.dead.reason
    partition.goes_on()


def test_an_entry_that_a_newer_version_wrote_is_told_as_a_difference_and_the_follower_goes_on():
    partition = Partition()
    record = journal_pb2.JournalRecord()
    record.entry.CopyFrom(partition.take(request("c1"))[0])
    record.entry.seq += 1
    record.entry.input.CopyFrom(partition.input(of_a_newer_version()))
    record.entry.events.append(of_a_newer_version("HologramShown"))
    _, differing = partition.follow(record.entry, record.SerializeToString())
    assert differing[0].startswith("not applied: no message type")
    _, differing = partition.follow(*written_by_an_owner_at(partition, record.entry.seq))
    assert differing == []


def written_by_an_owner_at(partition, seq):
    owner = PartitionState("router", PoolsFold())
    owner.load(list(partition.follower.dump()))
    value = owner.take(REIGN, partition.input(request("c2")), None, START + 60_000)
    entry = journal_pb2.JournalRecord.FromString(value).entry
    assert entry.seq == seq + 1
    return entry, value


def test_fields_and_numbers_that_a_newer_version_has_are_passed_over_or_refused():
    partition = Partition()
    unknown_field = b"\xfa\x7f\x03new"
    body = pb.RequestTaskRequest.FromString(request("c1").SerializeToString() + unknown_field)
    assert partition.take(body)[0].outcome.HasField("response")
    entry, _ = partition.take(request("c2", channel=77))
    assert "channel does not say" in entry.outcome.refusal.message
    partition.goes_on()


def test_a_snapshot_of_another_format_is_refused_by_name(centre):
    rows = [json.loads(row) for piece in centre.pool.dump() for row in piece.split(b"\n")]
    for kind, _, plain in rows:
        if kind == "header":
            plain[0] = 99
    with pytest.raises(ValueError, match="format 99, this version reads"):
        centre.restored().load(["\n".join(json.dumps(row) for row in rows).encode()])


def test_an_attribute_that_nobody_has_keeps_a_contact_waiting_and_is_named(centre):
    centre.attribute("loan", AttributeType.PROFICIENCY)
    outcome = centre.configure("p", PlanValue((Step("levitation >= 3"),)))
    assert "the attribute levitation is not declared" in outcome.events[0].warnings[0]
    centre.configure("q", QueueValue(plan="p"))
    centre.agent("ann", loan=5)
    assert centre.arrive("c1", queue="q").response.state is TaskState.QUEUED
    reasons = explain_contact(centre.pool.state, centre.task("c1")).reasons
    assert "Nobody who is logged in has the attribute levitation." in reasons
    assert NOBODY_EVER in reasons


def test_a_plan_that_contradicts_itself_is_shown_on_who_waits_and_overflows_at_its_end(centre):
    centre.queue("q", Step("loan >= 8 && loan <= 3", 5_000), overflow="voicemail")
    centre.agent("ann", loan=9)
    centre.arrive("c1", queue="q")
    assert hopeless(centre.pool.state, centre.task("c1"))
    assert task_as_told(centre, "c1").hopeless
    assert centre.wait(5_000)[0].treatment == "voicemail"


def test_who_is_not_logged_in_is_named_and_gives_hope(centre):
    centre.queue("q", Step("loan >= 8"), Step("loan >= 5"))
    centre.agent("ann", loan=9, state=None)
    centre.arrive("c1", queue="q")
    assert not task_as_told(centre, "c1").hopeless
    assert "Not logged in, and would meet it: ann." in explain_contact(centre.pool.state, centre.task("c1")).reasons


def test_a_later_step_gives_hope(centre):
    centre.queue("q", Step("loan >= 20", 5_000), Step("loan >= 5"))
    centre.agent("ann", loan=6)
    centre.arrive("c1", queue="q")
    assert not hopeless(centre.pool.state, centre.task("c1"))


def task_as_told(centre, contact_id):
    fold = SimpleNamespace(of_tenant=lambda tenant: [centre.pool])
    journal = SimpleNamespace(partitions=1, state=lambda partition: fold)
    return Queries(None, journal, lambda: centre.now).task("acme", contact_id)


OF_CONTACTS = [
    c.CancelTask,
    c.EndContact,
    c.RequeueTask,
    lambda id: c.AcceptReservation("ann", "r", id),
    lambda id: c.RejectReservation("ann", "r", id),
    lambda id: c.CompleteTask("ann", id),
    lambda id: c.ExtendWrapUp("ann", id, 1_000),
]


@pytest.mark.parametrize("make", OF_CONTACTS)
def test_commands_for_unknown_contacts_are_refused_and_change_nothing(centre, make):
    before = centre.pool.hash()
    refusal = centre.do(make("ghost")).refusal
    assert (refusal.code, refusal.reason) == ("not_found", "TASK_UNKNOWN")
    assert centre.pool.hash() == before


@pytest.mark.parametrize("make", OF_CONTACTS)
def test_commands_for_finished_contacts_tell_how_they_finished_and_change_nothing(centre, make):
    centre.agent("ann")
    centre.arrive("c1")
    centre.accept("c1")
    centre.do(c.EndContact("c1"))
    centre.do(c.CompleteTask("ann", "c1"))
    outcome = centre.do(make("c1"))
    assert outcome.events == ()
    if outcome.refusal is None:
        assert outcome.response.state is TaskState.COMPLETED
    else:
        assert (outcome.refusal.code, "completed" in outcome.refusal.message) == ("failed_precondition", True)


AGAIN = [
    lambda task: c.RequestTask("c1", Channel.VOICE, "sales"),
    lambda task: c.AcceptReservation("ann", task.reservation_id, "c1"),
    lambda task: c.EndContact("c1"),
    lambda task: c.CancelTask("c1"),
    lambda task: c.LogOut("ann"),
    lambda task: c.SetAgentState("ann", AgentState.NOT_READY, "lunch"),
    lambda task: c.AgentStreamOpened("ann", "p1"),
    lambda task: c.AgentStreamClosed("ann", "p1"),
]


@pytest.mark.parametrize("make", AGAIN)
def test_what_is_said_twice_happens_once(centre, make):
    centre.agent("ann")
    centre.arrive("c1")
    command = make(centre.task("c1"))
    centre.do(command)
    assert centre.do(command).events == ()


def test_a_clock_that_goes_back_stands_still(centre):
    centre.agent("ann")
    centre.arrive("c1")
    centre.now -= 3_600_000
    assert centre.do(c.Tick()).events == ()
    assert centre.accept("c1").refusal is None
    assert centre.task("c1").assigned_at == START
    centre.now = START + 60_000
    centre.do(c.EndContact("c1"))
    assert centre.task("c1").wrap_up_until == centre.now + 5_000


@pytest.mark.parametrize("years", [1, 100, 200_000])
def test_a_clock_that_jumps_far_ahead_ends_what_is_due_and_nothing_else(centre, years):
    centre.configure("always", CalendarValue(hours=(OpenHours(tuple(range(7)), 0, 1_440),)), "calendar")
    centre.queue("open", Step("loan >= 5", 60_000), Step(""), calendar="always")
    for number in range(300):
        centre.arrive(f"c{number:03}", queue="open")
    centre.agent("ann", state=AgentState.NOT_READY)
    began = centre.now
    centre.now += years * YEAR_MS
    events = centre.do(c.Tick()).events
    assert len(events) == 100, "at most so many timers at once"
    events += tuple(centre.wait(10))
    assert set(names(events)) == {"StepEntered"}
    assert len(centre.pool.state.tasks) == 300
    centre.now = began
    centre.do(c.SetAgentState("ann", AgentState.READY))
    assert centre.task("c000").agent_id == "ann"
    assert centre.accept("c000").refusal is None
    late = centre.arrive("late", queue="open")
    assert late.refusal is None
    assert centre.replayed().hash() == centre.restored().hash() == centre.pool.hash()


def test_an_arrival_in_the_future_stands_as_if_it_came_now(centre):
    centre.arrive("ahead", arrived_at=centre.now + YEAR_MS)
    centre.wait(1)
    centre.arrive("now")
    centre.agent("ann")
    assert centre.task("ahead").state is TaskState.RESERVED
