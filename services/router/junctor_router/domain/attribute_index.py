"""Who is logged in, by attributes: agents as bit positions, attribute values as bit sets (Python ints).

The positions say nothing; who has been idle longest is the business of `idle_ranking`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from junctor_router.domain.expression import Scalar, compares

if TYPE_CHECKING:
    from junctor_router.domain.idle_ranking import Chunk


@dataclass(slots=True)
class Member:
    """An agent with a session: what it is found by, and where it stands."""

    id: str
    attributes: Mapping[str, Scalar]
    position: int = -1
    """In the index of who is logged in; -1: not logged in."""
    rank: int = -1
    """Counts up each time that an agent becomes idle: the lowest has been idle longest. -1: not logged in."""
    open: int = 0
    """The channels that may be offered now, as a mask of their numbers."""
    chunk: Chunk | None = None
    """Where it stands in the ranking (derived); None while it is in none."""
    place: int = 0
    """Its place in that chunk."""


class _Bits:
    """A set of positions while it is being made: a growing int would be copied for each of them."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def set(self, position: int) -> None:
        at = position >> 3
        if at >= len(self._bytes):
            self._bytes.extend(bytes(at + 1 - len(self._bytes)))
        self._bytes[at] |= 1 << (position & 7)

    def number(self) -> int:
        return int.from_bytes(self._bytes, "little")


@dataclass(slots=True)
class AttributeIndex:
    """Meets `expression.Sets`."""

    everyone: int = 0
    members: list[Member | None] = field(default_factory=list)
    """By position."""
    _columns: dict[str, dict[Scalar, int]] = field(default_factory=dict)
    _unused: list[int] = field(default_factory=list)

    def add(self, member: Member) -> None:
        if self._unused:
            member.position = self._unused.pop()
            self.members[member.position] = member
        else:
            member.position = len(self.members)
            self.members.append(member)
        bit = 1 << member.position
        self.everyone ^= bit
        flip(self._columns, member.attributes, bit)

    def restore(self, members: Iterable[Member]) -> None:
        """Fills an empty index."""
        everyone = _Bits()
        columns: dict[str, dict[Scalar, _Bits]] = {}
        for position, member in enumerate(members):
            member.position = position
            self.members.append(member)
            everyone.set(position)
            for name, value in member.attributes.items():
                columns.setdefault(name, {}).setdefault(value, _Bits()).set(position)
        self.everyone = everyone.number()
        for name, values in columns.items():
            self._columns[name] = {value: bits.number() for value, bits in values.items()}

    def remove(self, member: Member) -> None:
        bit = 1 << member.position
        self.everyone ^= bit
        flip(self._columns, member.attributes, bit)
        self.members[member.position] = None
        self._unused.append(member.position)
        member.position = -1

    def set_attributes(self, member: Member, attributes: Mapping[str, Scalar]) -> None:
        if member.position >= 0:
            bit = 1 << member.position
            flip(self._columns, member.attributes, bit)
            flip(self._columns, attributes, bit)
        member.attributes = attributes

    def compare(self, name: str, operator: str, value: Scalar) -> int:
        column = self._columns.get(name, {})
        if operator == "==":
            return column.get(value, 0)
        found = 0
        for mine, bits in column.items():
            if compares(operator, mine, value):
                found |= bits
        return found

    def among(self, name: str, values: tuple[Scalar, ...]) -> int:
        column = self._columns.get(name, {})
        found = 0
        for value in values:
            found |= column.get(value, 0)
        return found

    def values(self, name: str) -> Collection[Scalar]:
        """That somebody has of the attribute."""
        return self._columns.get(name, {}).keys()

    def having(self, name: str) -> int:
        found = 0
        for bits in self._columns.get(name, {}).values():
            found |= bits
        return found

    def at(self, bits: int) -> list[Member]:
        """The members of a set, who has been idle longest first."""
        found = []
        while bits:
            low = bits & -bits
            member = self.members[low.bit_length() - 1]
            if member is not None:
                found.append(member)
            bits ^= low
        return sorted(found, key=lambda member: member.rank)


def flip(columns: dict[str, dict[Scalar, int]], attributes: Mapping[str, Scalar], mask: int) -> None:
    """Puts positions into the columns of these attributes, or takes them out."""
    for name, value in attributes.items():
        column = columns.get(name)
        if column is None:
            columns[name] = {value: mask}
            continue
        bits = column.get(value, 0) ^ mask
        if bits:
            column[value] = bits
        else:
            del column[value]
