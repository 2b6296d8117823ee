"""Values of a replica by something else than their key, found at once however many there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from google.protobuf.message import Message

from junctor_journal.replica import Replica, StateItem

Value = TypeVar("Value", bound=Message)


class StateIndex(Generic[Value]):
    """`name_of` gives the name under which an item is found; the empty one hides it."""

    def __init__(self, replica: Replica[Value], kind: str, name_of: Callable[[StateItem[Value]], str]) -> None:
        self._kind = kind
        self._name_of = name_of
        self._found: dict[str, dict[tuple[str, str], StateItem[Value]]] = {}
        self._names: dict[tuple[str, str], str] = {}
        for item in replica.all(kind):
            self._see(item, deleted=False)
        replica.listen(self._changed)

    def find(self, name: str) -> list[StateItem[Value]]:
        """All items of the name, by tenant and id."""
        found = self._found.get(name, {})
        return [found[key] for key in sorted(found)]

    def _changed(self, item: StateItem[Value], deleted: bool) -> None:
        if item.kind == self._kind:
            self._see(item, deleted)

    def _see(self, item: StateItem[Value], deleted: bool) -> None:
        key = (item.tenant, item.id)
        before = self._names.pop(key, "")
        if before:
            same = self._found[before]
            del same[key]
            if not same:
                del self._found[before]
        name = "" if deleted else self._name_of(item)
        if name:
            self._names[key] = name
            self._found.setdefault(name, {})[key] = item
