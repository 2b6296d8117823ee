"""Agents as bit positions, attribute values as bit sets (Python ints).

The position is the idle rank: who becomes idle moves to the next position behind all others in every set, so the lowest
set bit of any combination is the agent who has been idle longest. Positions left behind are closed up a few agents at a
time, so that no single input pays for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from junctor_router.domain.expression import Scalar, compares
from junctor_router.domain.values import Channel

SLACK = 4_096
"""Positions that may lie unused, beside as many as there are agents, before closing up begins."""
STEPS_PER_MOVE = 2
SCAN_PER_STEP = 64


@dataclass(slots=True)
class Member:
    """An agent with a session: where it stands and what it is found by. `open` masks the channels' numbers."""

    id: str
    attributes: Mapping[str, Scalar]
    position: int = -1
    open: int = 0


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
    """Meets `expression.Sets`. `top` is the next position; `gap`, `cursor` the state of closing up (-1: not running)."""

    everyone: int = 0
    top: int = 0
    gap: int = -1
    cursor: int = -1
    members: dict[int, Member] = field(default_factory=dict)
    _columns: dict[str, dict[Scalar, int]] = field(default_factory=dict)
    _open: list[int] = field(default_factory=lambda: [0] * len(Channel))

    def available(self, channel: Channel) -> int:
        """Who may be offered one more contact of the channel now."""
        return self._open[channel]

    def anyone_open(self) -> int:
        """Who may be offered something."""
        found = 0
        for mask in self._open:
            found |= mask
        return found

    def add(self, member: Member) -> None:
        """Puts a member last in rank."""
        member.position = self.top
        self.members[self.top] = member
        self._flip(member, 1 << self.top)
        self.top += 1

    def restore(self, members: Iterable[tuple[Member, int]]) -> None:
        """Fills an empty index: members, with what is open to them, at the positions they had."""
        everyone = _Bits()
        opened = [_Bits() for _ in Channel]
        columns: dict[str, dict[Scalar, _Bits]] = {}
        for member, position in members:
            member.position = position
            self.members[position] = member
            everyone.set(position)
            for channel in Channel:
                if member.open >> channel & 1:
                    opened[channel].set(position)
            for name, value in member.attributes.items():
                columns.setdefault(name, {}).setdefault(value, _Bits()).set(position)
        self.everyone = everyone.number()
        self._open = [bits.number() for bits in opened]
        for name, values in columns.items():
            self._columns[name] = {value: bits.number() for value, bits in values.items()}

    def remove(self, member: Member) -> None:
        self._flip(member, 1 << member.position)
        del self.members[member.position]
        member.position = -1

    def to_the_back(self, member: Member) -> list[Member]:
        """Gives a member the last rank, and closes up a little. Returns whose position changed."""
        moved = []
        if member.position != self.top - 1:
            self._move(member, self.top)
            moved.append(member)
            for _ in range(STEPS_PER_MOVE):
                closed = self._close_up()
                if closed is not None:
                    moved.append(closed)
        return moved

    def set_open(self, member: Member, mask: int) -> None:
        """Which channels a member may be offered now."""
        changed = member.open ^ mask
        member.open = mask
        if changed and member.position >= 0:
            bit = 1 << member.position
            while changed:
                low = changed & -changed
                self._open[low.bit_length() - 1] ^= bit
                changed ^= low

    def set_attributes(self, member: Member, attributes: Mapping[str, Scalar]) -> None:
        if member.position >= 0:
            bit = 1 << member.position
            self._flip_columns(member.attributes, bit)
            self._flip_columns(attributes, bit)
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

    def having(self, name: str) -> int:
        found = 0
        for bits in self._columns.get(name, {}).values():
            found |= bits
        return found

    def levels(self, name: str) -> list[tuple[int, int]]:
        """The attribute's whole numbers from the highest down, each with its agents."""
        column = self._columns.get(name, {})
        return sorted(((v, bits) for v, bits in column.items() if isinstance(v, int)), reverse=True)

    def at(self, bits: int, limit: int) -> Iterable[Member]:
        """The members of a set in rank order, at most `limit`."""
        while bits and limit:
            low = bits & -bits
            yield self.members[low.bit_length() - 1]
            bits ^= low
            limit -= 1

    def _move(self, member: Member, position: int) -> None:
        self._flip(member, (1 << member.position) | (1 << position))
        del self.members[member.position]
        member.position = position
        self.members[position] = member
        self.top = max(self.top, position + 1)

    def _close_up(self) -> Member | None:
        if self.cursor < 0:
            if self.top <= 2 * len(self.members) + SLACK:
                return None
            self.gap = self.cursor = 0
        for _ in range(SCAN_PER_STEP):
            if self.cursor >= self.top:
                self.top = self.gap
                self.gap = self.cursor = -1
                return None
            member = self.members.get(self.cursor)
            self.cursor += 1
            if member is not None:
                target = self.gap
                self.gap += 1
                if member.position == target:
                    continue
                self._move(member, target)
                return member
        return None

    def _flip(self, member: Member, mask: int) -> None:
        self.everyone ^= mask
        self._flip_columns(member.attributes, mask)
        open_channels = member.open
        while open_channels:
            low = open_channels & -open_channels
            self._open[low.bit_length() - 1] ^= mask
            open_channels ^= low

    def _flip_columns(self, attributes: Mapping[str, Scalar], mask: int) -> None:
        for name, value in attributes.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = {}
            bits = column.get(value, 0) ^ mask
            if bits:
                column[value] = bits
            else:
                del column[value]
