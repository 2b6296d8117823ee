"""The tests' service on a log: its fold, its inputs, and how it is run."""

import tally
from google.protobuf.message import Message
from junctor_journal import topics
from junctor_journal.aggregates import Aggregate, AggregateFold
from junctor_journal.inputs import new_input
from junctor_journal.ledger import Ledger, LedgerSettings
from junctor_journal.log import TopicDeclaration
from junctor_journal.mapping import Mapping
from junctor_journal.owner_settings import OwnerSettings
from tally_messages import tally_pb

MAPPING = Mapping([tally_pb], [tally])
AGGREGATE = Aggregate(
    initial=tally.Tally,
    decide=tally.decide,
    evolve=tally.evolve,
    state=tally.Tally,
    next_due=lambda state: state.ring_at,
    is_live=lambda state: not state.done,
    tick=tally.Tick(),
    rejected=tally.Refused,
)


def new_fold():
    return AggregateFold(AGGREGATE, MAPPING)


class OneState:
    """The same fold without cheap copies: a process then has one state for its owner and its follower."""

    def __init__(self):
        self._fold = new_fold()
        self.apply, self.next_due, self.replay = self._fold.apply, self._fold.next_due, self._fold.replay
        self.dump, self.load, self.hash, self.get = self._fold.dump, self._fold.load, self._fold.hash, self._fold.get


def add(id, amount=1, stream="s", tenant="t"):
    return ask(id, tally_pb.AddRequest(amount=amount), stream, tenant)


def ask(id: str, body: Message, stream="s", tenant="t"):
    return new_input(body, id=id, tenant=tenant, stream=stream, site="a", correlation_id=f"c-{stream}")


def declarations(service: str, partitions: int):
    names = [topics.inputs, topics.journal, topics.snapshots, topics.events]
    return [TopicDeclaration(name(service), partitions) for name in names] + [
        TopicDeclaration(topics.dead_letters(service), 1)
    ]


def new_ledger(log, service="tally", effects=None, *, pump, clock=None, every=5_000, fold=new_fold, **settings):
    owner = OwnerSettings(reclaim_after=settings.pop("reclaim_after", 0.3), **settings.pop("owner", {}))
    more = {} if clock is None else {"clock": clock}
    return Ledger(
        service,
        log,
        fold,
        effects,
        pump=pump,
        settings=LedgerSettings(
            site="a",
            address=settings.pop("address", "here:1"),
            snapshot_every=every,
            snapshot_pause=settings.pop("pause", 0.0),
            owner=owner,
            **settings,
        ),
        **more,
    )
