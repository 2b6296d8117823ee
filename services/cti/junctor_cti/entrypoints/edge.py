"""The life of the edge in this process: media client, digits' listener and the slot, there before the journal is read."""

from __future__ import annotations

from collections.abc import Callable

from junctor_journal.ledger import Ledger
from junctor_service.arrivals import Arrivals
from junctor_service.foundation import Foundation

from junctor_cti.adapters.media.dtmf import Digit, DtmfListener
from junctor_cti.adapters.media.media import Media
from junctor_cti.adapters.prompts import Prompts
from junctor_cti.adapters.sip.edge import SipEdge
from junctor_cti.application.edge_events import EdgeEvents
from junctor_cti.application.effects import CallEffects
from junctor_cti.application.entry_points import EntryPoints
from junctor_cti.application.facts import Facts
from junctor_cti.application.leader_watch import LeaderWatch
from junctor_cti.application.other_sites import OtherSites
from junctor_cti.application.performer import Peers, Performer
from junctor_cti.application.ports.media import HeardDigit
from junctor_cti.application.redials import Redials
from junctor_cti.application.relay_performer import RelayPerformer
from junctor_cti.application.slot import Slot
from junctor_cti.settings import CtiSettings


class EdgeComponent:
    """Started before the ledger, which hands the slot over (`CallEffects.on_ready`) once the partition is ours."""

    name = "edge"

    def __init__(
        self,
        settings: CtiSettings,
        foundation: Foundation,
        ledger: Ledger,
        entry_points: EntryPoints,
        effects: CallEffects,
        peers: Peers,
        prompts: Prompts,
        new_edge: Callable[[EdgeEvents, Callable[[], bool]], SipEdge],
        others: OtherSites,
        redials: Redials,
        arrivals: Arrivals,
    ) -> None:
        self._settings = settings
        self._foundation = foundation
        self._ledger = ledger
        self._entry_points = entry_points
        self._effects = effects
        self._peers = peers
        self._prompts = prompts
        self._new_edge = new_edge
        self._others = others
        self._redials = redials
        self._arrivals = arrivals
        self._media: Media | None = None
        self._digits: DtmfListener | None = None
        self._leaders: LeaderWatch | None = None
        self.slot: Slot | None = None

    @property
    def media(self) -> Media:
        assert self._media is not None, "start() first"
        return self._media

    @property
    def ready(self) -> bool:
        return self.slot is not None and self.slot.ready

    async def start(self) -> None:
        """Raises `OSError` where the digits' port is in use."""
        settings, f = self._settings, self._foundation
        self._media = await Media.open((settings.media_ng.host, settings.media_ng.port))
        spool = settings.state_dir / "cti" / f"slot-{settings.slot}.spool"
        slot = Slot(
            settings.slot,
            settings.site,
            self._ledger,
            f.commands,
            Facts(self._ledger, settings.slot, spool),
            self._media,
            self._entry_points,
            f.sealer,
            f.clock,
            lambda: f.log.available,
            self._new_edge,
            self._others,
            self._redials,
            self._arrivals,
        )
        performer = Performer(slot, self._peers, self._prompts, settings.sip_realm, settings.route_tries)
        self._effects.serve(slot, performer, RelayPerformer(slot, settings.sip_realm), self._peers)
        f.telemetry.gauge("junctor.cti.spooled_facts", lambda: len(slot.facts))
        f.telemetry.gauge("junctor.cti.calls", lambda: slot.live_calls)
        self._digits = await DtmfListener.open(
            (settings.dtmf_listen.host, settings.dtmf_listen.port), lambda digit: slot.events.digit(_heard(digit))
        )
        self.slot = slot
        heartbeats = f.heartbeats()
        if heartbeats is not None:
            self._leaders = LeaderWatch(slot, heartbeats, lambda: self._ledger.partitions)
            self._leaders.start()

    async def stop(self, deadline: float) -> None:
        """No new call is taken; live calls keep their audio and are taken over from the journal."""
        if self._leaders is not None:
            await self._leaders.stop()
        if self.slot is not None:
            await self.slot.stop()
        if self._digits is not None:
            self._digits.close()
        if self._media is not None:
            self._media.close()
        del deadline


def _heard(digit: Digit) -> HeardDigit:
    return HeardDigit(digit.call_id, digit.side, digit.digit)
