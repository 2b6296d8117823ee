"""Agents in the order of their idle time, in chunks of bit sets, to find the longest idle of those who meet something.

An agent has a place from the moment when it is idle and no contact in line was for it. The places are in the order of the
ranks, CHUNK of them to a chunk, and each chunk has its own sets: who can be offered a channel, and a column of sets for
each attribute. So a search looks at one chunk after the other and ends at the first agent found, and what it found out
about a chunk's columns it keeps until somebody comes into the chunk.

Who gets something to do keeps the place, closed, because the rank stays until the work is done. Who gets another rank
leaves the place empty; its bits stay in the columns, where they are harmless: nothing is open there. Chunks that have
become empty are dropped, and two that together are no more than one are joined (the arrangement is derived: it decides
nothing but time).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from junctor_router.domain.attribute_index import Member, flip
from junctor_router.domain.expression import Scalar
from junctor_router.domain.picker import Picker
from junctor_router.domain.values import NUMBERS, Channel

CHUNK = 1_024
PICKS_KEPT = 2_000
"""Expressions whose sets a chunk keeps."""


@dataclass(slots=True, eq=False)
class Chunk:
    first: int = 0
    last: int = 0
    """The ranks of the first and of the last place, empty or not."""
    members: list[Member | None] = field(default_factory=list)
    """One for each place, in the order of rank; None where a place is empty."""
    taken: int = 0
    """Places that are not empty."""
    open: list[int] = field(default_factory=lambda: [0] * len(Channel))
    columns: dict[str, dict[Scalar, int]] = field(default_factory=dict)
    picked: dict[Picker, int] = field(default_factory=dict)

    def append(self, member: Member) -> None:
        place = len(self.members)
        bit = 1 << place
        if not place:
            self.first = member.rank
        self.last = member.rank
        self.members.append(member)
        self.taken += 1
        member.chunk, member.place = self, place
        flip(self.columns, member.attributes, bit)
        self.picked.clear()
        for channel in NUMBERS[member.open]:
            self.open[channel] |= bit

    def pick(self, pick: Picker) -> int:
        """The places of those who meet it; empty places may be among them."""
        found = self.picked.get(pick)
        if found is None:
            if len(self.picked) >= PICKS_KEPT:
                self.picked.clear()
            found = self.picked[pick] = pick(self.columns, (1 << len(self.members)) - 1)
        return found


Found = list[tuple[Chunk, int]]
"""A set of agents: chunks in the order of rank, each with places in it."""


@dataclass(slots=True)
class IdleRanking:
    last: int = 0
    """The rank that was given last."""
    chunks: list[Chunk] = field(default_factory=list)
    _firsts: list[int] = field(default_factory=list)
    """The first rank of each chunk."""
    _taken: int = 0
    _free: list[int] = field(default_factory=lambda: [0] * len(Channel))
    """By channel, how many have a place and are open for it."""

    def enter(self, member: Member) -> None:
        """Gives a member that comes the last rank."""
        self.last += 1
        member.rank = self.last

    def to_the_back(self, member: Member) -> None:
        """Gives a member the last rank. It has no place until `settle` is asked for one."""
        if member.rank != self.last:
            self._leave(member)
            self.enter(member)

    def remove(self, member: Member) -> None:
        self._leave(member)
        member.rank = -1

    def restore(self, members: Iterable[Member], last: int) -> None:
        """Fills an empty ranking: members with their ranks and what is open to them."""
        self.last = last
        for member in sorted((m for m in members if m.open), key=lambda m: m.rank):
            self.settle(member)

    def set_open(self, member: Member, mask: int) -> None:
        """Which channels a member may be offered now."""
        changed = member.open ^ mask
        member.open = mask
        chunk = member.chunk
        if changed and chunk is not None:
            bit = 1 << member.place
            for channel in NUMBERS[changed]:
                chunk.open[channel] ^= bit
                self._free[channel] += 1 if mask >> channel & 1 else -1

    def set_attributes(self, member: Member, attributes: Mapping[str, Scalar]) -> None:
        """Before the member itself has them."""
        chunk = member.chunk
        if chunk is not None:
            bit = 1 << member.place
            flip(chunk.columns, member.attributes, bit)
            flip(chunk.columns, attributes, bit)
            chunk.picked.clear()

    def settle(self, member: Member) -> None:
        """Gives a member who is open a place by its rank, if it has none."""
        if member.chunk is not None or not member.open:
            return
        self._taken += 1
        for channel in NUMBERS[member.open]:
            self._free[channel] += 1
        chunks = self.chunks
        if not chunks or member.rank > chunks[-1].last:
            if not chunks or len(chunks[-1].members) >= CHUNK:
                self._make_room()
                chunks.append(Chunk())
                self._firsts.append(member.rank)
            chunks[-1].append(member)
            return
        at = max(bisect_right(self._firsts, member.rank) - 1, 0)
        among = [other for other in chunks[at].members if other is not None]
        among.insert(bisect_left([other.rank for other in among], member.rank), member)
        self._replace(at, at + 1, among)

    def first(self, pick: Picker, channel: Channel, without: Collection[str]) -> Member | None:
        """The longest idle of those who meet it and are open for the channel; `without` are ids of some who do not count."""
        if not self._free[channel]:
            return None
        for chunk in self.chunks:
            found = chunk.open[channel]
            if found:
                found &= chunk.pick(pick)
                while found:
                    low = found & -found
                    member = chunk.members[low.bit_length() - 1]
                    if member is not None and not (without and member.id in without):
                        return member
                    found ^= low
        return None

    def matching(self, pick: Picker, channel: Channel, without: Collection[Member] = ()) -> Found:
        """All of those."""
        if not self._free[channel]:
            return []
        found = []
        for chunk in self.chunks:
            bits = chunk.open[channel]
            if bits:
                bits &= chunk.pick(pick)
                for member in without:
                    if member.chunk is chunk:
                        bits &= ~(1 << member.place)
                if bits:
                    found.append((chunk, bits))
        return found

    def anyone_open(self, pick: Picker) -> int:
        """How many meet it and may be offered something."""
        total = 0
        for chunk in self.chunks:
            opened = 0
            for bits in chunk.open:
                opened |= bits
            if opened:
                total += (opened & pick(chunk.columns, opened)).bit_count()
        return total

    def _leave(self, member: Member) -> None:
        chunk = member.chunk
        if chunk is None:
            return
        place = member.place
        chunk.members[place] = None
        chunk.taken -= 1
        for channel in NUMBERS[member.open]:
            chunk.open[channel] ^= 1 << place
            self._free[channel] -= 1
        member.chunk = None
        self._taken -= 1
        if not chunk.taken:
            at = bisect_left(self._firsts, chunk.first)
            del self.chunks[at], self._firsts[at]

    def _make_room(self) -> None:
        """Joins the first two neighbours that fit into one chunk, where there are many more chunks than are needed."""
        if len(self.chunks) <= 2 * (self._taken // CHUNK + 2):
            return
        for at in range(len(self.chunks) - 1):
            one, other = self.chunks[at], self.chunks[at + 1]
            if one.taken + other.taken <= CHUNK:
                members = [member for chunk in (one, other) for member in chunk.members if member is not None]
                self._replace(at, at + 2, members)
                return

    def _replace(self, since: int, until: int, members: list[Member]) -> None:
        made = []
        for start in range(0, len(members), CHUNK):
            chunk = Chunk()
            for member in members[start : start + CHUNK]:
                chunk.append(member)
            made.append(chunk)
        self.chunks[since:until] = made
        self._firsts[since:until] = [chunk.first for chunk in made]


def narrowed(found: Found, pick: Picker) -> Found:
    """Those of the set who meet it too."""
    return [(chunk, left) for chunk, bits in found if (left := bits & chunk.pick(pick))]


def highest(found: Found, name: str) -> Found:
    """Those of the set with the highest whole number of the attribute; the set itself where nobody has one."""
    best: int | None = None
    kept: Found = []
    for chunk, bits in found:
        column = chunk.columns.get(name, {})
        levels = sorted((level for level in column if isinstance(level, int)), reverse=True)
        for level in levels:
            if best is not None and level < best:
                break
            left = bits & column[level]
            if left:
                if level != best:
                    best, kept = level, []
                kept.append((chunk, left))
                break
    return kept or found


def members_of(found: Found) -> Iterator[Member]:
    """In the order of rank."""
    for chunk, bits in found:
        left = bits
        while left:
            low = left & -left
            member = chunk.members[low.bit_length() - 1]
            if member is not None:
                yield member
            left ^= low
