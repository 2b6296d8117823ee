"""The smallest domain that decides something, its messages and its ledger."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc  # type: ignore[import-untyped]
from junctor.journal.v1 import journal_pb2
from junctor_journal import topics
from junctor_journal.aggregates import Aggregate, AggregateFold
from junctor_journal.inputs import new_input
from junctor_journal.ledger import Effects, Ledger, LedgerSettings
from junctor_journal.log import Log, TopicDeclaration
from junctor_journal.mapping import Mapping
from junctor_journal.static_pump import StaticPump

STREAMS = 500


@dataclass(frozen=True, slots=True)
class Count:
    amount: int
    due_ns: int
    filling: bytes


@dataclass(frozen=True, slots=True)
class CountResult:
    total: int


@dataclass(frozen=True, slots=True)
class Counted:
    amount: int
    total: int


@dataclass(frozen=True, slots=True)
class Counter:
    tenant: str
    stream: str
    total: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    events: tuple[Counted, ...]
    response: CountResult


class Refused(Exception):
    code = "failed_precondition"
    retryable = False


def decide(state: Counter, command: Count, now: int) -> Decision:
    if command.amount < 0:
        raise Refused("an amount is not negative")
    total = state.total + command.amount
    return Decision((Counted(command.amount, total),), CountResult(total))


def evolve(state: Counter, event: Counted) -> Counter:
    return replace(state, total=event.total)


def _messages() -> Any:
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "set"
        if protoc.main(["protoc", f"-I{here}", f"--descriptor_set_out={out}", str(here / "counter.proto")]):
            raise RuntimeError("counter.proto cannot be compiled")
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.Default()
    for file in files.file:
        pool.Add(file)
    module = ModuleType("counter_pb")
    described = module.DESCRIPTOR = pool.FindFileByName("counter.proto")  # type: ignore[attr-defined]
    for name, descriptor in described.message_types_by_name.items():
        setattr(module, name, message_factory.GetMessageClass(descriptor))
    return module


counter_pb = _messages()
MAPPING = Mapping([counter_pb], [Count, CountResult, Counted, Counter])
AGGREGATE = Aggregate(initial=Counter, decide=decide, evolve=evolve, state=Counter, rejected=Refused)


def new_fold() -> AggregateFold[Any]:
    return AggregateFold(AGGREGATE, MAPPING)


def new_ledger(service: str, log: Log, effects: Effects | None = None, relay: bool = True) -> Ledger:
    """A ledger that owns partition 0, with the settings of the services."""
    settings = LedgerSettings(site="a", address="127.0.0.1:1", instance_id="bench", relay=relay)
    return Ledger(service, log, new_fold, effects, settings=settings, pump=StaticPump((0,)))


def count(number: int, due_ns: int = 0, size: int = 300) -> journal_pb2.Input:
    """An input of about `size` bytes as it is written to Kafka."""
    return new_input(
        counter_pb.CountRequest(amount=number % 7, due_ns=due_ns, filling=bytes(max(0, size - 150))),
        id=f"bench/count/{number:012d}",
        tenant="bench",
        stream=f"stream-{number % STREAMS:04d}",
        site="a",
        principal="bench",
        correlation_id=f"stream-{number % STREAMS:04d}",
    )


def declarations(service: str) -> Sequence[TopicDeclaration]:
    """The topics of the service with one partition each, and one for the bare loop's output."""
    names = [topics.inputs, topics.journal, topics.snapshots, topics.events, topics.dead_letters]
    return [TopicDeclaration(name(service), 1) for name in names] + [TopicDeclaration(copies(service), 1)]


def copies(service: str) -> str:
    return f"junctor.{service}.copies.v1"
