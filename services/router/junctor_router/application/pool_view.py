"""What one stream about a tenant's pools has been told, and what it is to be told next."""

from __future__ import annotations

from junctor.router.v1 import router_pb2 as pb

from junctor_router.application.changes import Changes
from junctor_router.application.queries import Queries


class PoolView:
    """Complete at first. With `changes` then what has changed, from `after_seq` on where that is still known.

    A queue has changed where its figures have, but for the age of its oldest contact, which a client can count on by
    itself. An agent has changed where an entry was about it. Agents are told unless one queue alone is asked for.
    """

    def __init__(self, queries: Queries, changes: Changes, request: pb.WatchPoolRequest) -> None:
        self._queries = queries
        self._changes = changes
        self._request = request
        self._told_queues: dict[str, bytes] = {}
        self._places: dict[int, int] | None = None
        if request.changes and request.after_seq:
            now = queries.places(request.tenant)
            if len(now) == 1:
                self._places = dict.fromkeys(now, request.after_seq)

    def next(self) -> pb.WatchPoolResponse | None:
        """None where nothing has changed. Raises `JournalError` while the state is being read."""
        tenant, queue = self._request.tenant, self._request.queue
        places = self._queries.places(tenant)
        since = self._agents_since(places)
        queues = self._queries.queues(tenant, queue)
        response = pb.WatchPoolResponse(complete=since is None, seq=max(places.values(), default=0))
        if len(places) == 1:
            response.partition = next(iter(places))
        figures = {view.queue: _figures(view) for view in queues}
        if since is None:
            response.queues.extend(queues)
        else:
            response.queues.extend(view for view in queues if self._told_queues.get(view.queue) != figures[view.queue])
            response.gone_queues.extend(sorted(set(self._told_queues) - set(figures)))
        if not queue:
            response.agents.extend(self._queries.agents(tenant, since))
            if since is not None:
                there = {agent.agent_id for agent in response.agents}
                named = {agent_id for agents in since.values() for agent_id in agents}
                response.gone_agents.extend(sorted(named - there))
        self._told_queues, self._places = figures, places
        told = (response.queues, response.agents, response.gone_queues, response.gone_agents)
        return response if response.complete or any(told) else None

    def _agents_since(self, places: dict[int, int]) -> dict[int, list[str]] | None:
        """Agents that have changed, by partition; None where all are to be told."""
        if not self._request.changes or self._places is None or set(places) != set(self._places):
            return None
        found = {}
        for partition, seq in self._places.items():
            agents = self._changes.agents_since(self._request.tenant, partition, seq)
            if agents is None:
                return None
            found[partition] = agents
        return found


def _figures(view: pb.QueueView) -> bytes:
    figures = pb.QueueView()
    figures.CopyFrom(view)
    figures.oldest_wait_ms = 0
    return figures.SerializeToString(deterministic=True)
