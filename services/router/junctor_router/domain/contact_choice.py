"""Which contact an agent gets: the lines of contacts that want the same agents, and the choice among their heads.

A line holds the contacts of one queue, plan version, step, channel and bound requirement, ordered by (priority,
arrival, contact). Its contacts differ in nothing that matters for who may serve them, beside agents excluded for one of
them, so the first one that the agent may have is the line's offer to an agent.
Among the heads, priority comes first, then the time that is left to the queue's service level (arrival + objective: the
earliest due first), except that queues with a ratio take turns by it among themselves, and that contacts who waited too
long (priority 0) go by arrival alone.
Whether an agent meets a line is a function of the agent's attributes alone (`lines_met`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from junctor_router.domain.expression import Expression, Node, Scalar, test_of
from junctor_router.domain.heads import Heads
from junctor_router.domain.lines_met import LinesMet, Profile
from junctor_router.domain.picker import Picker, picker_of
from junctor_router.domain.task import FIRST_OF_ALL, Key
from junctor_router.domain.values import NUMBERS, OUT_OF_LINE, AgentOrder, Channel, Hold

MAX_LINES = 4_096
"""Lines kept, empty ones included, before the empty ones are dropped."""

Place = tuple[str, int, int, int, int, int, str, tuple[str, ...]]
"""A line's key without the data."""
LineKey = tuple[str, int, int, int, int, int, str, tuple[str, ...], tuple[str | None, ...]]
"""Queue, step, how much of it is relaxed, why it is held, the share, channel, plan, requirements, the data they look at."""


@dataclass(slots=True)
class Line:
    number: int
    key: LineKey
    queue: str
    channel: Channel
    hold: Hold
    """Held contacts are in line for nobody but, where that is why, their preferred agents."""
    wanted: Node
    """What the agent must meet, bound to the contacts' data."""
    order: AgentOrder
    rated_by: tuple[tuple[str, int], ...]
    """The attributes whose proficiency counts, each with its weight."""
    prefers: tuple[Node, ...]
    """What ranks those who meet it, bound to the contacts' data."""
    test: Callable[[Mapping[str, Scalar]], bool]
    """Whether an agent with these attributes meets it."""
    pick: Picker
    """Of many agents, those who meet it."""
    prefer_picks: tuple[Picker, ...]
    objective_ms: int = 0
    """The service level's time of the queue."""
    entries: list[Key] = field(default_factory=list)
    retired: bool = False
    """Nobody joins it any more."""

    def rank(self, entry: Key) -> Key:
        """The contact's place among those of all lines."""
        return (entry[0], entry[1] + self.objective_ms if entry[0] != FIRST_OF_ALL else entry[1], entry[2])


class TakesTurns(Protocol):
    """A queue with a ratio."""

    @property
    def taken(self) -> int:
        """Its offers for each part of its ratio, in millionths: the lowest is next."""
        ...


@dataclass(slots=True)
class WaitingLines:
    values: Callable[[str], Collection[Scalar]]
    """Of an attribute, those that agents have."""
    lines: dict[int, Line] = field(default_factory=dict)
    by_queue: dict[str, dict[int, Line]] = field(default_factory=dict)
    objectives: dict[str, int] = field(default_factory=dict)
    ratios: dict[str, TakesTurns] = field(default_factory=dict)
    """The queues that have one."""
    generation: int = 0
    """How often the lines were numbered anew."""
    opened: int = 0
    """How many lines were ever opened or numbered anew."""
    _heads: Heads = field(default_factory=Heads)
    """Of the lines that may be offered."""
    _by_key: dict[LineKey, Line] = field(default_factory=dict)
    _data_keys: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    _waiting: list[int] = field(default_factory=lambda: [0] * len(Channel))
    _met: LinesMet = field(init=False)
    _pickers: dict[Node, Picker] = field(default_factory=dict)
    """One for all lines that want the same, so that what it found is found once."""
    _next: int = 0
    _limit: int = MAX_LINES

    def __post_init__(self) -> None:
        self._met = LinesMet(self.values)

    def find(self, key: LineKey) -> Line | None:
        return self._by_key.get(key)

    def data_keys(self, place: Place, of: Callable[[], list[Expression]]) -> tuple[str, ...]:
        """The data that the contacts of a place are told apart by: what its expressions look at."""
        found = self._data_keys.get(place)
        if found is None:
            found = tuple(key for expression in of() for key in expression.data_keys)
            self._data_keys[place] = found
        return found

    def open(
        self,
        key: LineKey,
        wanted: Node,
        order: AgentOrder,
        rated_by: tuple[tuple[str, int], ...],
        prefers: tuple[Node, ...],
    ) -> Line:
        if len(self.lines) >= self._limit:
            self._drop_empty()
        line = Line(
            number=self._next,
            key=key,
            queue=key[0],
            channel=Channel(key[5]),
            hold=Hold(key[3]),
            wanted=wanted,
            order=order,
            rated_by=rated_by,
            prefers=prefers,
            test=test_of(wanted),
            pick=self._picker(wanted),
            prefer_picks=tuple(self._picker(node) for node in prefers),
        )
        line.objective_ms = self.objectives.get(line.queue, 0)
        self._next += 1
        self._keep(line)
        return line

    def _picker(self, node: Node) -> Picker:
        found = self._pickers.get(node)
        if found is None:
            found = self._pickers[node] = picker_of(node)
        return found

    def set_objective(self, queue: str, objective_ms: int) -> None:
        self.objectives[queue] = objective_ms
        for line in self.by_queue.get(queue, {}).values():
            line.objective_ms = objective_ms
            self._set_head(line)

    def add(self, line: Line, entry: Key) -> None:
        insort(line.entries, entry)
        if not line.hold:
            if len(line.entries) == 1:
                self._waiting[line.channel] |= 1 << line.number
            if line.entries[0] == entry:
                self._set_head(line)

    def remove(self, line: Line, entry: Key) -> None:
        at = 0 if line.entries[0] == entry else bisect_left(line.entries, entry)
        del line.entries[at]
        if not line.hold:
            if not line.entries:
                self._waiting[line.channel] ^= 1 << line.number
            if at == 0:
                self._set_head(line)

    def _set_head(self, line: Line) -> None:
        self._heads.set(line.number, line.rank(line.entries[0]) if line.entries and not line.hold else None)

    def position(self, queue: str, entry: Key) -> int:
        """1 for the next of the queue, over all its lines but those of contacts for later."""
        lines = self.by_queue.get(queue, {}).values()
        return 1 + sum(bisect_left(line.entries, entry) for line in lines if line.hold not in OUT_OF_LINE)

    def best(self, profile: Profile, open_channels: int, excludes: Callable[[str], bool]) -> Key | None:
        """The contact that an agent of this profile gets next. `excludes` is asked with contact ids."""
        waiting = 0
        for channel in NUMBERS[open_channels]:
            waiting |= self._waiting[channel]
        candidates = waiting and waiting & self._met.met(profile, waiting, self.opened, self.generation)
        if not candidates:
            return None
        found, line = self._first(candidates, excludes)
        if found is not None and line is not None and line.queue in self.ratios and found[0] != FIRST_OF_ALL:
            return self._in_turn(found[0], candidates, excludes) or found
        return found

    def _first(self, candidates: int, excludes: Callable[[str], bool]) -> tuple[Key | None, Line | None]:
        line = self.lines[self._heads.foremost(candidates)]
        if not excludes(line.entries[0][2]):
            return line.entries[0], line
        return self._first_allowed(candidates, excludes)

    def _first_allowed(self, candidates: int, excludes: Callable[[str], bool]) -> tuple[Key | None, Line | None]:
        found: tuple[Key | None, Line | None] = (None, None)
        lowest: Key | None = None
        while candidates:
            low = candidates & -candidates
            candidates ^= low
            line = self.lines[low.bit_length() - 1]
            for entry in line.entries:
                rank = line.rank(entry)
                if lowest is not None and rank >= lowest:
                    break
                if not excludes(entry[2]):
                    found, lowest = (entry, line), rank
                    break
        return found

    def _in_turn(self, priority: int, candidates: int, excludes: Callable[[str], bool]) -> Key | None:
        """The first contact of that priority in the queue that is next by its ratio."""
        by_queue: dict[str, int] = {}
        while candidates:
            low = candidates & -candidates
            candidates ^= low
            queue = self.lines[low.bit_length() - 1].queue
            if queue in self.ratios:
                by_queue[queue] = by_queue.get(queue, 0) | low
        for queue in sorted(by_queue, key=lambda id: (self.ratios[id].taken, id)):
            found, _ = self._first(by_queue[queue], excludes)
            if found is not None and found[0] == priority:
                return found
        return None

    def retire(self) -> None:
        """What lines were made of has changed: contacts that come now stand in new ones."""
        for line in self.lines.values():
            line.retired = True
        self._by_key.clear()
        self._data_keys.clear()

    def _keep(self, line: Line) -> None:
        self.lines[line.number] = line
        self.opened += 1
        self._met.add(line.number, line.wanted)
        self.by_queue.setdefault(line.queue, {})[line.number] = line
        if not line.retired:
            self._by_key[line.key] = line

    def _drop_empty(self) -> None:
        """Drops lines that nobody stands in and numbers the others anew, so that the sets of bits stay short."""
        kept = [line for line in self.lines.values() if line.entries]
        self.lines.clear()
        self._by_key.clear()
        self.by_queue.clear()
        self._waiting = [0] * len(Channel)
        self._met = LinesMet(self.values)
        self._pickers.clear()
        self._data_keys.clear()
        self._heads = Heads()
        for number, line in enumerate(kept):
            line.number = number
            self._keep(line)
            if not line.hold:
                self._waiting[line.channel] |= 1 << number
                self._set_head(line)
        self._next = len(kept)
        self._limit = max(MAX_LINES, 2 * len(kept))
        self.generation += 1
