"""Which lines a set of attributes meets, as bits by the lines' numbers.

Most lines want clauses that must all hold and look at one attribute each. Those are decided together: a value of an
attribute fails some lines, and a line is met by who has all attributes that it cannot do without and no value that fails
it. A line with a clause over several attributes is asked by itself, once for each profile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from junctor_router.domain.expression import (
    Attribute,
    Compare,
    Constant,
    In,
    Literal,
    Node,
    Scalar,
    attributes_of,
    clauses,
    needed,
    test_of,
)

Test = Callable[[Mapping[str, Scalar]], bool]
NOTHING: dict[str, Scalar] = {}
VALUES_KEPT = 256
"""Values of an attribute of which it is kept what they fail."""
VALUES_LEARNT = VALUES_KEPT // 4
"""With more of them it is forgotten where a line is opened, and found again for those that are asked for."""


@dataclass(slots=True, eq=False)
class Profile:
    """A set of attributes, which agents share, and which lines it meets."""

    key: str
    attributes: dict[str, Scalar]
    agents: int = 0
    """How many have it."""
    generation: int = 0
    opened: int = -1
    """How many lines had been opened when the bits below were made."""
    possible: int = 0
    """Lines to be asked by themselves that it may meet."""
    asked: int = 0
    met: int = 0


NO_PROFILE = Profile("", {})
"""Of an agent who has not been read yet."""


@dataclass(slots=True, eq=False)
class Column:
    """What lines want of one attribute."""

    name: str
    needing: int = 0
    """The lines whose first attribute that they cannot do without is this one."""
    one_of: int = 0
    """Lines that want one of certain values."""
    by_value: dict[Scalar, int] = field(default_factory=dict)
    """Those of them that want this one."""
    tests: list[tuple[int, Test]] = field(default_factory=list)
    """Whatever else they want, with their bits."""
    failed: dict[Scalar, int] = field(default_factory=dict)
    """The lines that fail the tests with a value, as far as it was asked for."""

    def add(self, bit: int, part: Node) -> None:
        wanted = _values(part)
        if wanted is not None and not self.one_of & bit:
            self.one_of |= bit
            for value in wanted:
                self.by_value[value] = self.by_value.get(value, 0) | bit
            return
        test = test_of(part)
        self.tests.append((bit, test))
        if len(self.failed) > VALUES_LEARNT:
            self.failed.clear()
        for value, bits in self.failed.items():
            if not test({self.name: value}):
                self.failed[value] = bits | bit

    def learn(self, value: Scalar) -> int:
        """What `failed` is to have for the value."""
        if len(self.failed) >= VALUES_KEPT:
            self.failed.clear()
        attributes = {self.name: value}
        bits = 0
        for bit, test in self.tests:
            if not test(attributes):
                bits |= bit
        self.failed[value] = bits
        return bits


def _values(part: Node) -> tuple[Scalar, ...] | None:
    """Where a clause wants one of certain values: these."""
    match part:
        case Compare("==", Attribute(), Literal(value)):
            return (value,)
        case In(Attribute(), items):
            return tuple(dict.fromkeys(item.value for item in items if isinstance(item, Literal)))
        case _:
            return None


@dataclass(slots=True)
class LinesMet:
    values: Callable[[str], Collection[Scalar]] = lambda name: ()
    """Of an attribute, those that agents have: what they fail is found when lines are opened, not when an agent is matched."""
    _columns: dict[str, Column] = field(default_factory=dict)
    _free: int = 0
    """Lines that some meet who have none of the attributes that they look at."""
    _choosy: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """By bit, the attributes beside the first that a line cannot do without."""
    _several: int = 0
    """The lines that have such."""
    _alone: int = 0
    """Lines that are asked by themselves."""
    _alone_tests: dict[int, Test] = field(default_factory=dict)
    _alone_free: int = 0
    _alone_needing: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, wanted: Node) -> None:
        bit = 1 << number
        parts = [part for part in clauses(wanted) if part != Constant(True)]
        names = [attributes_of(part) for part in parts]
        if any(len(found) != 1 for found in names):
            self._add_alone(bit, wanted)
            return
        required: dict[str, None] = {}
        for part, (name,) in zip(parts, names, strict=True):
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = Column(name, failed=dict.fromkeys(self._known(name), 0))
            column.add(bit, part)
            if not test_of(part)(NOTHING):
                required[name] = None
        if not required:
            self._free |= bit
            return
        first, *others = required
        self._columns[first].needing |= bit
        if others:
            self._several |= bit
            self._choosy[bit] = tuple(others)

    def _known(self, name: str) -> Collection[Scalar]:
        values = self.values(name)
        return values if len(values) <= VALUES_LEARNT else ()

    def met(self, profile: Profile, among: int, opened: int, generation: int) -> int:
        """The bits of the lines that it meets; right for those of `among`. `opened` and `generation` tell whether lines have
        come, or all numbers have changed, since the last time."""
        if profile.opened != opened:
            if profile.generation != generation:
                profile.generation, profile.asked, profile.met = generation, 0, 0
            profile.opened = opened
            profile.met = self._met_together(profile.attributes) | (profile.met & self._alone)
            profile.possible = self._possible(profile.attributes) if self._alone else 0
        unknown = among & profile.possible & ~profile.asked
        if unknown:
            profile.asked |= unknown
            while unknown:
                low = unknown & -unknown
                unknown ^= low
                if self._alone_tests[low](profile.attributes):
                    profile.met |= low
        return profile.met

    def _met_together(self, attributes: dict[str, Scalar]) -> int:
        """The lines of no clause over several attributes that somebody with these meets."""
        columns = self._columns
        found, failed = self._free, 0
        for name, value in attributes.items():
            column = columns.get(name)
            if column is None:
                continue
            found |= column.needing
            bits = column.failed.get(value)
            failed |= column.learn(value) if bits is None else bits
            if column.one_of:
                failed |= column.one_of & ~column.by_value.get(value, 0)
        found &= ~failed
        several = found & self._several
        while several:
            low = several & -several
            several ^= low
            if not all(name in attributes for name in self._choosy[low]):
                found ^= low
        return found

    def _possible(self, attributes: dict[str, Scalar]) -> int:
        found = self._alone_free
        for name in attributes:
            found |= self._alone_needing.get(name, 0)
        return found

    def _add_alone(self, bit: int, wanted: Node) -> None:
        self._alone |= bit
        self._alone_tests[bit] = test_of(wanted)
        name = needed(wanted)
        if name is None:
            self._alone_free |= bit
        else:
            self._alone_needing[name] = self._alone_needing.get(name, 0) | bit
