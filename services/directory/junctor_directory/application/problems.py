"""What is wrong with a configuration, in sentences that say where and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """`field` is `<kind>/<id>/<path in the value>`; `text` one sentence that names the value."""

    field: str
    text: str


class Findings:
    """Collects problems (refused) and warnings (allowed, but cannot work as it stands)."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def at(self, kind: str, id: str) -> Place:
        return Place(self, kind, id)


class Place:
    """A value, for the problems in it."""

    def __init__(self, findings: Findings, kind: str, id: str) -> None:
        self._findings = findings
        self.kind = kind
        self.id = id

    def problem(self, path: str, text: str) -> None:
        self._findings.problems.append(Problem(self._field(path), f"{self.kind} '{self.id}': {text}"))

    def warning(self, path: str, text: str) -> None:
        self._findings.warnings.append(Problem(self._field(path), f"{self.kind} '{self.id}': {text}"))

    def known(self, path: str, what: str, wanted: str, existing: Collection[str]) -> None:
        """A problem where `wanted` does not exist; the empty one is no reference."""
        if wanted and wanted not in existing:
            self.problem(path, hint(what, wanted, existing))

    def _field(self, path: str) -> str:
        return "/".join(part for part in (self.kind, self.id, path) if part)


def hint(what: str, wanted: str, existing: Iterable[str]) -> str:
    """`plan 'caards' does not exist; did you mean 'cards'? Known plans: cards, loans`."""
    names = set(existing)
    close = difflib.get_close_matches(wanted, names, 1, 0.75)
    known = listed(what, names)
    if close:
        return f"{what} '{wanted}' does not exist; did you mean '{close[0]}'? K{known[1:]}"
    return f"{what} '{wanted}' does not exist; {known}"


def listed(what: str, names: Iterable[str], limit: int = 8) -> str:
    """`known plans: a, b`; at most `limit` names."""
    found = sorted(names)
    if not found:
        return f"there is no {what} yet"
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return f"known {what}s: {', '.join(found[:limit])}{more}"
