"""A small domain for tests: totals with one timer each."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Add:
    amount: int


@dataclass(frozen=True, slots=True)
class Ring:
    at: int


@dataclass(frozen=True, slots=True)
class Break:
    """A command whose decision is a defect."""

    only_twice: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    pass


@dataclass(frozen=True, slots=True)
class Tick:
    pass


@dataclass(frozen=True, slots=True)
class Added:
    amount: int
    total: int


@dataclass(frozen=True, slots=True)
class RingSet:
    at: int


@dataclass(frozen=True, slots=True)
class Rang:
    at: int


@dataclass(frozen=True, slots=True)
class Finished:
    total: int


@dataclass(frozen=True, slots=True)
class AddResult:
    total: int


@dataclass(frozen=True, slots=True)
class Decision:
    events: tuple
    response: object


class Refused(Exception):
    code = "failed_precondition"
    retryable = False


@dataclass(frozen=True, slots=True)
class Tally:
    tenant: str
    stream: str
    total: int = 0
    ring_at: int | None = None
    done: bool = False


REPAIRED = False


def decide(state, command, now):
    match command:
        case Add(amount):
            if amount < 0:
                raise Refused("an amount is not negative")
            total = state.total + amount
            return Decision((Added(amount, total),), AddResult(total))
        case Ring(at):
            return [RingSet(at)]
        case Break():
            if REPAIRED:
                return [Added(1, state.total + 1)]
            raise ZeroDivisionError("broken")
        case Finish():
            return [Finished(state.total)]
        case Tick():
            return [Rang(now)]


def evolve(state, event):
    match event:
        case Added(_, total):
            return replace(state, total=total)
        case RingSet(at):
            return replace(state, ring_at=at)
        case Rang():
            return replace(state, ring_at=None)
        case Finished():
            return replace(state, done=True)
