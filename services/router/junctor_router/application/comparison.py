"""Recorded and re-run contacts side by side: per contact, per queue, and what the comparison cannot know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from junctor_router.application.contact_waits import ANSWERED, THRESHOLD_MS, WAITING, ContactWaits, Wait
from junctor_router.application.queue_figures import QueueFigures, figures
from junctor_router.application.whatif import Rerun


@dataclass(frozen=True, slots=True)
class Pair:
    """One wait of a contact as recorded and as re-run; None where one of them had no such wait."""

    contact_id: str
    recorded: Wait | None
    rerun: Wait | None

    @property
    def differs(self) -> bool:
        return _seen(self.recorded) != _seen(self.rerun)


@dataclass(frozen=True, slots=True)
class Comparison:
    pairs: tuple[Pair, ...]
    queues: dict[str, tuple[QueueFigures, QueueFigures]]
    """Recorded and re-run."""

    @property
    def changed(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.differs]


def compare(
    recorded: ContactWaits, rerun: ContactWaits, begins: int, ends: int, thresholds_ms: Mapping[str, int]
) -> Comparison:
    """Contacts whose first wait began from `begins` to before `ends` (Unix ms), by that moment."""
    chosen = [id for id, waits in recorded.waits.items() if begins <= waits[0].began < ends]
    pairs: list[Pair] = []
    for contact_id in sorted(chosen, key=lambda id: (recorded.waits[id][0].began, id)):
        before, after = recorded.waits[contact_id], rerun.waits.get(contact_id, [])
        for number in range(max(len(before), len(after))):
            pairs.append(
                Pair(
                    contact_id,
                    before[number] if number < len(before) else None,
                    after[number] if number < len(after) else None,
                )
            )
    names = sorted({w.queue for pair in pairs for w in (pair.recorded, pair.rerun) if w is not None})
    queues = {}
    for queue in names:
        threshold = thresholds_ms.get(queue, 0) or THRESHOLD_MS
        queues[queue] = (
            figures([p.recorded for p in pairs if p.recorded is not None and p.recorded.queue == queue], threshold),
            figures([p.rerun for p in pairs if p.rerun is not None and p.rerun.queue == queue], threshold),
        )
    return Comparison(tuple(pairs), queues)


def unknowable(comparison: Comparison, rerun: Rerun) -> list[str]:
    """What such a comparison cannot know, in sentences, with how many contacts each concerns here."""
    both = [(p.recorded, p.rerun) for p in comparison.pairs if p.recorded is not None and p.rerun is not None]
    longer = sum(a.result == ANSWERED and _length(b) > a.waited_ms for a, b in both)
    other = sum(a.agent_id != b.agent_id and bool(a.agent_id and b.agent_id) for a, b in both)
    chosen = {pair.contact_id for pair in comparison.pairs}
    assumed = len(rerun.assumed.handle_times & chosen)
    found = [
        f"Patience is known only of those who left: {longer} contacts that were answered wait longer here, and here they "
        "stay in line. Some would have left.",
        f"A handle time stays with its contact: {other} contacts get another agent here, who might need more or less time "
        "or solve more or less.",
        f"{assumed} contacts are answered here that nobody answered in truth; the middle handle time of their queue is "
        "taken.",
        f"{rerun.assumed.answers} offers are made here that were not made in truth; they are accepted after the agent's "
        "middle answering time, none is rejected or missed.",
        "Agents log in, pause and leave at the recorded moments; under other plans they would have been tired, late or "
        "finished at others.",
        "Contacts come as they came: who was served sooner or better might not have called again, who was not might have.",
    ]
    if rerun.assumed.dropped_changes:
        found.append(
            f"{rerun.assumed.dropped_changes} recorded changes of the compared values are left out: the given values hold "
            "for the whole time."
        )
    return found


def _length(wait: Wait) -> float:
    return float("inf") if wait.result == WAITING else wait.waited_ms


def _seen(wait: Wait | None) -> tuple[str, str, int, str] | None:
    return None if wait is None else (wait.queue, wait.result, wait.ended, wait.agent_id)
