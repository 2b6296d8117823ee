"""The ranks of the lines' first contacts, to find the foremost of some lines.

A rank is kept as bytes that compare as it does, so that looking at one is a look at one object: with tens of thousands of
contacts each object is one that the processor has to fetch.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from struct import Struct

from junctor_router.domain.task import Key

FEW = 48
"""Lines whose heads are compared one by one; of more, those in the order of their heads are asked until one is among them."""
_LEADING = Struct(">IQ").pack
_SIGN, _LAST = 1 << 63, (1 << 64) - 1
NOBODY = b"\xff" * 16
"""Comes after every rank."""


def _bytes(rank: Key) -> bytes:
    priority, at, contact_id = rank
    return _LEADING(priority, min(max(at + _SIGN, 0), _LAST)) + contact_id.encode()


@dataclass(slots=True)
class Heads:
    """Lines by number. Their order is brought up to date where it is asked for: most agents meet few lines."""

    _of: list[bytes] = field(default_factory=list)
    _changed: set[int] = field(default_factory=set)
    """The lines whose head is another one than in the order."""
    _ordered: dict[int, bytes] = field(default_factory=dict)
    """By line, the head that is in the order."""
    _order: list[bytes] = field(default_factory=list)
    """Ascending."""
    _numbers: list[int] = field(default_factory=list)
    """Of the lines in that order."""

    def set(self, number: int, rank: Key | None) -> None:
        """None: nobody in the line may be offered."""
        while len(self._of) <= number:
            self._of.append(NOBODY)
        self._of[number] = NOBODY if rank is None else _bytes(rank)
        self._changed.add(number)

    def foremost(self, lines: int) -> int:
        """The number of the one whose head comes first, of a set of lines (as bits) of which one at least has a head."""
        if lines.bit_count() > FEW:
            self._bring_up()
            for number in self._numbers:
                if lines >> number & 1:
                    return number
        of = self._of
        foremost, found = -1, NOBODY
        while lines:
            low = lines & -lines
            lines ^= low
            number = low.bit_length() - 1
            head = of[number]
            if head < found:
                foremost, found = number, head
        return foremost

    def _bring_up(self) -> None:
        changed, order, numbers = self._changed, self._order, self._numbers
        if len(changed) * 8 > len(order):
            numbers[:] = sorted((n for n, head in enumerate(self._of) if head is not NOBODY), key=self._of.__getitem__)
            order[:] = [self._of[number] for number in numbers]
            self._ordered = dict(zip(numbers, order, strict=True))
        else:
            for number in changed:
                self._take_out(number)
            for number in changed:
                self._put_in(number, self._of[number])
        changed.clear()

    def _take_out(self, number: int) -> None:
        head = self._ordered.pop(number, None)
        if head is not None:
            at = bisect_left(self._order, head)
            del self._order[at], self._numbers[at]

    def _put_in(self, number: int, head: bytes) -> None:
        """After all are taken out: a contact that went from one line to another has the same head there."""
        if head is not NOBODY:
            at = bisect_left(self._order, head)
            self._order.insert(at, head)
            self._numbers.insert(at, number)
            self._ordered[number] = head
