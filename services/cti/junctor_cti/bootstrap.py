"""The one place where `cti` is put together."""

from __future__ import annotations

import secrets

from junctor.cti.v1 import cti_pb2_grpc
from junctor.ivr.v1 import ivr_pb2_grpc
from junctor.journal.v1 import journal_pb2
from junctor.recording.v1 import recording_pb2_grpc
from junctor.router.v1 import router_pb2_grpc
from junctor.site.v1 import arrivals_pb2_grpc
from junctor_journal import topics
from junctor_journal.aggregates import AggregateFold
from junctor_journal.static_pump import StaticPump
from junctor_service.arrivals import Arrivals, ArrivalServicer
from junctor_service.event_tail import EventTail
from junctor_service.foundation import Foundation
from junctor_service.heartbeats import FarEdge
from junctor_service.ids import edge_id
from junctor_service.run import Service
from junctor_service.settings import SettingsError, by_site

from junctor_cti.adapters.prompts import Prompts
from junctor_cti.adapters.sip.edge import SipEdge
from junctor_cti.adapters.sip.settings import SipSettings
from junctor_cti.application.calls import new_fold, share_of
from junctor_cti.application.effects import CallEffects
from junctor_cti.application.entry_points import EntryPoints
from junctor_cti.application.other_sites import OtherSites
from junctor_cti.application.performer import Peers
from junctor_cti.application.reactions import TOPICS, reactions
from junctor_cti.application.redials import Redials
from junctor_cti.domain.decide import Line
from junctor_cti.entrypoints.edge import EdgeComponent
from junctor_cti.entrypoints.grpc import CtiServicer
from junctor_cti.settings import CtiSettings

KNOWN_SECONDS = 6 * 3_600.0
"""Calls of the other site that began earlier have no place kept where they redial after its loss."""


def bind(settings: CtiSettings) -> Service:
    f = Foundation("cti", settings)
    entry_points = EntryPoints(f.replica())
    effects = CallEffects(f.effects, f.telemetry)

    def route(input: journal_pb2.Input) -> int:
        for partition in range(ledger.partitions):
            if ledger.state(partition).get(input.tenant, input.stream) is not None:  # type: ignore[attr-defined]
                return partition
        return settings.slot

    def folds() -> list[AggregateFold[Line]]:
        return [ledger.state(p) for p in range(ledger.partitions)]  # type: ignore[misc]

    ledger = f.ledger(new_fold, effects, pump=StaticPump((settings.slot,)), route=route)
    secret = settings.sip_nonce_secret.reveal().encode() if settings.sip_nonce_secret else secrets.token_bytes(32)
    sip = SipSettings(
        host=settings.sip_listen.host,
        port=settings.sip_listen.port,
        advertised_host=settings.sip_advertise or "",
        tcp_port=settings.sip_tcp_port,
        realm=settings.sip_realm,
        nonce_secret=secret,
        credential=entry_points.credential,
        journal_first=True,
        requests_per_second=settings.sip_requests_per_second,
        alone=settings.sip_alone,
    )
    peers = Peers(
        ivr=f.stub(ivr_pb2_grpc.IvrServiceStub, settings.ivr_address),
        router=f.stub(router_pb2_grpc.RouterServiceStub, settings.router_address),
        recording=f.stub(recording_pb2_grpc.RecordingServiceStub, settings.recording_address),
    )
    far = FarEdge("cti", f.heartbeats(slot=str(settings.slot), hears=True), f.clock.monotonic)
    redials, mirrored, before = Redials(settings.site, far.silent_for), [], []
    if settings.other_site is not None:
        mirrored.append(topics.of_site(settings.other_site, topics.events("cti")))
        told = [*mirrored, topics.events("cti")]
        before.append(EventTail(f.log, told, redials.see, back_seconds=KNOWN_SECONDS))
    arrivals = Arrivals(_steered_to(settings), lambda: share_of(folds()), far.lives)
    edge = EdgeComponent(
        settings,
        f,
        ledger,
        entry_points,
        effects,
        peers,
        Prompts(settings.prompts),
        lambda on_event, takes_calls: SipEdge(sip, on_event, takes_calls),
        _other_sites(settings),
        redials,
        arrivals,
    )
    f.react((*TOPICS, *mirrored), reactions(f.commands, edge_id("cti", settings.site)))
    servicers = [
        (cti_pb2_grpc.add_CtiServiceServicer_to_server, CtiServicer(f.commands, folds, edge)),
        (
            arrivals_pb2_grpc.add_ArrivalServiceServicer_to_server,
            ArrivalServicer(arrivals, f.commands, f.audit),
        ),
    ]
    return f.service(servicers, before=[*before, edge])


def _steered_to(settings: CtiSettings) -> str | None:
    """The other site, where its edge's address is known: callers are sent to it."""
    return settings.other_site if settings.other_site in by_site(settings.other_sites) else None


def _other_sites(settings: CtiSettings) -> OtherSites:
    if settings.other_sites and settings.other_sites_secret is None:
        raise SettingsError(["JUNCTOR_CTI__OTHER_SITES is set, but JUNCTOR_CTI__OTHER_SITES_SECRET is not."])
    secret = settings.other_sites_secret.reveal().encode() if settings.other_sites_secret else secrets.token_bytes(32)
    pairs = (item.partition("=") for item in settings.other_sites or ())
    return OtherSites(settings.site, {site: address for site, _, address in pairs}, secret)
