"""Which lines a set of attributes meets, as bits by the lines' numbers.

Most lines want clauses that must all hold and look at one attribute each. Those are decided together: a value of an
attribute fails some lines, and a line is met by who has all attributes that it cannot do without and no value that fails
it. A line with a clause over several attributes is asked by itself, once for each profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from junctor_router.domain.expression import Constant, Node, Scalar, attributes_of, clauses, needed, test_of

Test = Callable[[Mapping[str, Scalar]], bool]
NOTHING: dict[str, Scalar] = {}
VALUES_KEPT = 50_000
"""Values of all attributes of which it is known what they fail."""


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


@dataclass(slots=True)
class Needing:
    """Lines that cannot do without an attribute, one for each line."""

    lines: int = 0
    by_name: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, bit: int) -> None:
        self.lines |= bit
        self.by_name[name] = self.by_name.get(name, 0) | bit

    def satisfied(self, attributes: dict[str, Scalar]) -> int:
        """All lines but those whose attribute is not among these."""
        found = 0
        for name in attributes:
            found |= self.by_name.get(name, 0)
        return ~(self.lines ^ found)


@dataclass(slots=True)
class LinesMet:
    _tests: dict[int, Test] = field(default_factory=dict)
    """Of the lines that are asked by themselves, by number."""
    _alone: int = 0
    """Those lines."""
    _together: int = 0
    """The others."""
    _needing: list[Needing] = field(default_factory=list)
    """At first each line's first attribute that it cannot do without, then its second, and so on."""
    _clauses: dict[str, list[tuple[int, Test]]] = field(default_factory=dict)
    """By attribute, what lines want of it, with the line's bit."""
    _failed: dict[str, dict[Scalar, int]] = field(default_factory=dict)
    """By attribute and value, the lines that it fails, as far as it was asked for."""
    _values: int = 0
    _alone_open: int = 0
    _alone_needing: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, wanted: Node) -> None:
        bit = 1 << number
        parts = [part for part in clauses(wanted) if part != Constant(True)]
        names = [attributes_of(part) for part in parts]
        if any(len(found) != 1 for found in names):
            self._add_alone(number, bit, wanted)
            return
        required: dict[str, None] = {}
        for part, (name,) in zip(parts, names, strict=True):
            test = test_of(part)
            if not test(NOTHING):
                required[name] = None
            self._add_clause(name, bit, test)
        self._together |= bit
        for level, name in enumerate(required):
            if level == len(self._needing):
                self._needing.append(Needing())
            self._needing[level].add(name, bit)

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
                if self._tests[low.bit_length() - 1](profile.attributes):
                    profile.met |= low
        return profile.met

    def _met_together(self, attributes: dict[str, Scalar]) -> int:
        """The lines of no clause over several attributes that somebody with these meets."""
        found, failed = self._together, 0
        for name, value in attributes.items():
            column = self._failed.get(name)
            if column is not None:
                bits = column.get(value)
                failed |= self._fails(name, value) if bits is None else bits
        for needing in self._needing:
            found &= needing.satisfied(attributes)
        return found & ~failed

    def _possible(self, attributes: dict[str, Scalar]) -> int:
        found = self._alone_open
        for name in attributes:
            found |= self._alone_needing.get(name, 0)
        return found

    def _fails(self, name: str, value: Scalar) -> int:
        if self._values >= VALUES_KEPT:
            self._values = 0
            for column in self._failed.values():
                column.clear()
        self._values += 1
        bits = 0
        for bit, test in self._clauses[name]:
            if not test({name: value}):
                bits |= bit
        self._failed[name][value] = bits
        return bits

    def _add_clause(self, name: str, bit: int, test: Test) -> None:
        self._clauses.setdefault(name, []).append((bit, test))
        column = self._failed.setdefault(name, {})
        for value, bits in column.items():
            if not test({name: value}):
                column[value] = bits | bit

    def _add_alone(self, number: int, bit: int, wanted: Node) -> None:
        self._alone |= bit
        self._tests[number] = test_of(wanted)
        name = needed(wanted)
        if name is None:
            self._alone_open |= bit
        else:
            self._alone_needing[name] = self._alone_needing.get(name, 0) | bit
