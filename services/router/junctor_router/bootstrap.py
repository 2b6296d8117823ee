"""The one place where the router is wired."""

from __future__ import annotations

from functools import partial

from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2_grpc
from junctor_journal.brokers import Brokers
from junctor_journal.pump import GroupPump, Pump
from junctor_service.foundation import Foundation
from junctor_service.ids import edge_id
from junctor_service.run import Service

from junctor_router.adapters.cyclic_collector import keep_pauses_short
from junctor_router.adapters.huge_pages import keep_in_huge_pages
from junctor_router.adapters.pool_config import PoolConfig
from junctor_router.application.agent_streams import AgentStreams
from junctor_router.application.changes import Changes
from junctor_router.application.configuration_feed import ConfigurationFeed
from junctor_router.application.edge_watch import EdgeWatch
from junctor_router.application.effects import RouterEffects
from junctor_router.application.measures import Measures
from junctor_router.application.pools import PoolsFold
from junctor_router.application.queries import Queries
from junctor_router.application.requests import Requests
from junctor_router.application.roll_call import RollCalls
from junctor_router.entrypoints.grpc import RouterServicer
from junctor_router.settings import PumpKind, RouterSettings


def bind(settings: RouterSettings) -> Service:
    keep_pauses_short()
    keep_in_huge_pages()
    f = Foundation("router", settings)
    configuration = PoolConfig(f.replica())
    changes = Changes()
    measures = Measures(f.telemetry)
    effects = RouterEffects(changes, measures)

    def route(input: journal_pb2.Input) -> int:
        return configuration.partition(input.tenant, input.stream, ledger.partitions)

    new_fold = partial(PoolsFold, measures.times)
    ledger = f.ledger(new_fold, effects, pump=_pump(settings, f.brokers), route=route)
    measures.watch(ledger)
    commands = f.commands
    feed = effects.feed = ConfigurationFeed(configuration, ledger, commands)
    queries = Queries(configuration, ledger, f.clock.now_ms)
    streams = effects.streams = AgentStreams(queries, commands, edge_id("router", settings.site))
    edges = effects.edges = EdgeWatch(f.heartbeats(), ledger, commands)
    requests, roll_calls = Requests(configuration, feed, queries, commands), RollCalls(ledger, commands)
    servicer = RouterServicer(requests, queries, changes, streams, roll_calls)
    return f.service(
        [(router_pb2_grpc.add_RouterServiceServicer_to_server, servicer)],
        components=[feed, streams, edges],
        state_first=True,
    )


def _pump(settings: RouterSettings, brokers: Brokers) -> Pump:
    """Faust is imported only where it is used."""
    if settings.pump is PumpKind.PLAIN:
        return GroupPump()
    from junctor_router.entrypoints.faust_worker import FaustPump

    return FaustPump(brokers)
