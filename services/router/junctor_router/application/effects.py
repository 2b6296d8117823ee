"""What the router does because of its journal: it wakes streams, and measures. Offers reach edges and agents as events
and streams."""

from __future__ import annotations

from typing import Any

from junctor_router.application.agent_streams import AgentStreams
from junctor_router.application.changes import Changes
from junctor_router.application.configuration_feed import ConfigurationFeed
from junctor_router.application.edge_watch import EdgeWatch
from junctor_router.application.measures import Measures


class RouterEffects:
    """Meets `junctor_journal.ledger.SiteEffects`."""

    def __init__(self, changes: Changes, measures: Measures) -> None:
        self._changes = changes
        self._measures = measures
        self.feed: ConfigurationFeed | None = None
        self.streams: AgentStreams | None = None
        self.edges: EdgeWatch | None = None

    def on_entry(self, partition: int, entry: Any, mine: bool) -> None:
        """In every process, whoever owns the partition: streams may be held open anywhere."""
        self._changes.entry(partition, entry)
        if self.streams is not None:
            self.streams.entry(entry)
        if mine:
            self._measures.entry(partition, entry)

    def on_epoch(self, partition: int, started: Any, mine: bool) -> None:
        """Pending offers have new ids."""
        self._changes.forget(partition)

    def on_rewind(self, partition: int) -> None:
        """Offers told last are void."""
        self._changes.forget(partition)

    def on_ready(self, partition: int, fold: Any) -> None:
        """An earlier owner may have told only a part of the configuration, and heard other edges."""
        if self.feed is not None:
            self.feed.compare_in(partition)
        if self.edges is not None:
            self.edges.look()

    def on_lost(self, partition: int) -> None:
        """Nothing: the next owner goes on from the state."""
