"""Tells who looks at a conversation that it changed. What changed is read from the followed state, so nothing is lost."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import TracebackType

Key = tuple[str, str]


class Watch:
    """Used with `async with`; one per looker."""

    def __init__(self, feed: Feed, key: Key) -> None:
        self._feed = feed
        self._key = key
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Returns at the next change, at once where there was one since the last call."""
        await self._changed.wait()
        self._changed.clear()

    def wake(self) -> None:
        self._changed.set()

    async def __aenter__(self) -> Watch:
        self._feed.watches[self._key].add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        watches = self._feed.watches[self._key]
        watches.discard(self)
        if not watches:
            del self._feed.watches[self._key]


class Feed:
    def __init__(self) -> None:
        self.watches: defaultdict[Key, set[Watch]] = defaultdict(set)

    def watch(self, tenant: str, contact_id: str) -> Watch:
        return Watch(self, (tenant, contact_id))

    def changed(self, tenant: str, contact_id: str) -> None:
        """Call after the followed state has changed."""
        for watch in self.watches.get((tenant, contact_id), ()):
            watch.wake()
