"""The one place where omnichannel is wired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2
from junctor.omnichannel.v1 import omnichannel_pb2_grpc
from junctor.router.v1 import router_pb2_grpc
from junctor.site.v1 import arrivals_pb2_grpc
from junctor_journal import topics
from junctor_journal.aggregates import AggregateFold
from junctor_journal.errors import JournalError, Restoring
from junctor_journal.ledger import Ledger
from junctor_service.arrivals import STREAM, Arrivals, ArrivalServicer
from junctor_service.commands import service_error
from junctor_service.event_tail import EventTail
from junctor_service.foundation import Foundation
from junctor_service.heartbeats import FarEdge, Heartbeats
from junctor_service.ids import edge_id
from junctor_service.run import Service
from junctor_service.settings import by_site
from junctor_service.tokens import EVERY_TENANT

from junctor_omnichannel.adapters.customer_tokens import CustomerTokens, token_key
from junctor_omnichannel.adapters.directory_widgets import DirectoryWidgets
from junctor_omnichannel.adapters.other_site import OtherSite, connects
from junctor_omnichannel.adapters.router import RouterRouting
from junctor_omnichannel.application.catching_up import CatchingUp
from junctor_omnichannel.application.conversations import Conversations
from junctor_omnichannel.application.doubts import Doubts
from junctor_omnichannel.application.effects import ConversationEffects, at_once
from junctor_omnichannel.application.far_conversations import FarConversations
from junctor_omnichannel.application.feed import Feed
from junctor_omnichannel.application.greetings import Greeter, journal_partition_of
from junctor_omnichannel.application.mapping import new_fold
from junctor_omnichannel.application.reactions import reactions
from junctor_omnichannel.application.returning import Returning, refused
from junctor_omnichannel.domain.conversation import Conversation
from junctor_omnichannel.domain.fence import stream_of
from junctor_omnichannel.entrypoints.grpc import OmnichannelServicer
from junctor_omnichannel.entrypoints.websocket import CustomerSockets
from junctor_omnichannel.settings import OmnichannelSettings


def bind(settings: OmnichannelSettings) -> Service:
    f = Foundation("omnichannel", settings)
    feed, edge = Feed(), edge_id("omnichannel", settings.site)
    widgets = DirectoryWidgets(f.replica(), round(settings.idle_timeout * 1000), round(settings.reconnect_grace * 1000))

    def followed(tenant: str, contact_id: str) -> Conversation | None:
        return _fold(ledger, ledger.partition_of(tenant, contact_id)).get(tenant, contact_id)

    def look(tenant: str, contact_id: str) -> Conversation | None:
        try:
            return followed(tenant, contact_id)
        except JournalError as error:
            raise service_error(error) from error

    async def report(message: Message, **origin: str) -> None:
        await f.commands.tell(f.commands.fact(message, **origin))

    router = cast(
        "router_pb2_grpc.RouterServiceAsyncStub", f.stub(router_pb2_grpc.RouterServiceStub, settings.router_address)
    )
    beats = f.heartbeats(hears=True)
    catching_up = _catching_up(settings, f, beats, lambda: ledger)
    routing = RouterRouting(router, edge)
    settled = catching_up.settled if catching_up is not None else at_once
    doubts = Doubts(f.effects, routing, report, followed, lambda partition: _fold(ledger, partition).streams(), settled)

    def see(partition: int, entry: Any, mine: bool) -> None:
        doubts.see(partition, entry, mine)
        if catching_up is not None:
            catching_up.see(partition, entry)

    effects = ConversationEffects(
        f.effects,
        routing,
        report,
        followed,
        feed,
        f.telemetry,
        f.clock,
        settings.route_patience,
        see,
        doubts.all,
        settled,
    )
    ledger = f.ledger(
        new_fold,
        effects,
        route=lambda input: _partition_of(input, ledger.partitions),
        timers_wait=catching_up.behind if catching_up is not None else None,
    )
    events = [topics.events("router")]
    if settings.other_site is not None:
        events.append(topics.of_site(settings.other_site, topics.events("omnichannel")))
        greeter = Greeter(settings.other_site, f.commands.fact, lambda: ledger.partitions, ledger.append_inputs)
        if beats is not None:
            beats.listen(greeter.hear)
    f.react(events, reactions(f.commands.fact, edge, lambda partition: _fences(ledger, partition)))
    conversations = Conversations(
        widgets,
        f.commands,
        look,
        f.sealer,
        feed,
        f.clock.now_ms,
        settings.site,
        *([catching_up.check] if catching_up else []),
    )
    tokens = CustomerTokens(
        token_key(settings.customer_token_secret, settings.token_secret), settings.customer_token_lifetime
    )

    async def tell(message: Message, **origin: str) -> None:
        refused(await f.commands.tell(f.commands.fact(message, **origin)))

    def share() -> int:
        found = followed(EVERY_TENANT, STREAM)
        return found.away_percent if found is not None else 0

    edges = FarEdge("omnichannel", beats, f.clock.monotonic)
    arrivals = Arrivals(settings.other_site, share, edges.lives)
    far, heard, before = FarConversations(), None, []
    if settings.other_site is not None:
        mirrored = [topics.of_site(settings.other_site, topics.events("omnichannel"))]
        before.append(EventTail(f.log, mirrored, far.see, back_seconds=settings.customer_token_lifetime))
        heard = edges.lives
    urls = by_site(settings.other_sites_web)
    returning = Returning(settings.site, urls, look, far, heard, widgets.entry, tell, arrivals)
    sockets = CustomerSockets(settings, conversations, widgets, tokens, f.commands, f.telemetry, returning)
    servicer = OmnichannelServicer(conversations, _other_site(settings, f))
    return f.service(
        [
            (omnichannel_pb2_grpc.add_OmnichannelServiceServicer_to_server, servicer),
            (
                arrivals_pb2_grpc.add_ArrivalServiceServicer_to_server,
                ArrivalServicer(arrivals, f.commands, f.audit),
            ),
        ],
        components=[*([catching_up] if catching_up else []), sockets],
        before=before,
    )


def _catching_up(
    settings: OmnichannelSettings, f: Foundation, beats: Heartbeats | None, ledger: Callable[[], Ledger]
) -> CatchingUp | None:
    """None where there is one site, or where the other one's address is not known."""
    addresses = tuple(by_site(settings.other_sites).values())
    if settings.other_site is None or beats is None or not addresses:
        return None

    async def reached() -> bool:
        return await connects(f.channels.channel(addresses[0]))

    return CatchingUp(
        beats.process,
        reached,
        lambda tenant, contact: ledger().partition_of(tenant, contact),
        lambda: ledger().partitions,
        f.clock.now_ms,
        f.clock.monotonic,
    )


def _partition_of(input: journal_pb2.Input, partitions: int) -> int:
    found = journal_partition_of(input)
    return topics.partition_for(input.tenant, input.stream, partitions) if found is None else found


def _fold(ledger: Ledger, partition: int) -> AggregateFold[Conversation]:
    return cast(AggregateFold[Conversation], ledger.state(partition))


def _fences(ledger: Ledger, router_partition: int) -> list[int]:
    """The fence as each partition of the journal has it. Raises `Restoring`."""
    if not ledger.partitions:
        raise Restoring("the journal of omnichannel is not read yet")
    folds = [_fold(ledger, own) for own in range(ledger.partitions)]
    lines = [fold.get(EVERY_TENANT, stream_of(router_partition)) for fold in folds]
    return [line.fence if line is not None else 0 for line in lines]


def _other_site(settings: OmnichannelSettings, f: Foundation) -> OtherSite | None:
    """The other site's omnichannel, where the settings have one."""
    for address in by_site(settings.other_sites).values():
        return OtherSite(settings.site, f.stub(omnichannel_pb2_grpc.OmnichannelServiceStub, address))
    return None
