"""A SIP edge with a small decider of its own, for tests that speak SIP to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from junctor_cti.adapters.sip import digest
from junctor_cti.adapters.sip.edge import SipEdge
from junctor_cti.adapters.sip.settings import SipSettings
from junctor_cti.application.ports import sip_events as ev
from junctor_cti.application.ports.edge import UnknownLeg, WrongState
from junctor_testkit.sip_phone import SipPhone

PASSWORD = "geheim"


def credential(user: str) -> dict[str, str] | None:
    if user.startswith("unknown"):
        return None
    return {name: digest.ha1(user, "junctor", PASSWORD, name) for name in ("MD5", "SHA-256")}


class SipDesk:
    """An edge whose events are kept, with each leg's newest record as its journal. With `bridge_to` every call in is
    joined to that address: rung first, answered when the agent answers, cleared when either side clears."""

    def __init__(self, settings: SipSettings, bridge_to: str = "") -> None:
        self.settings, self.bridge_to = settings, bridge_to
        self.events: list[ev.Event] = []
        self.journal: dict[str, bytes] = {}
        self.paused: set[type[ev.Event]] = set()
        self._arrived = asyncio.Event()
        self.edge = SipEdge(settings, self._on_event)

    async def start(self) -> SipDesk:
        await self.edge.start()
        return self

    @property
    def server(self) -> tuple[str, int]:
        return "127.0.0.1", self.edge.port

    @property
    def number(self) -> str:
        return f"sip:4000@127.0.0.1:{self.edge.port}"

    async def event(self, kind: type, within: float = 5.0, **wanted: object):
        """The first event of this kind, with these fields, that was not taken before."""
        async with asyncio.timeout(within):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and all(getattr(event, k) == v for k, v in wanted.items()):
                        self.events.remove(event)
                        return event
                self._arrived.clear()
                await self._arrived.wait()

    async def until(self, condition: Callable[[], object], within: float = 5.0) -> None:
        async with asyncio.timeout(within):
            while not condition():
                await asyncio.sleep(0.01)

    async def die(self) -> None:
        """Closes the sockets and stops the timers, as a SIGKILL would: no message is sent."""
        await self.edge.stop(drain=0)

    async def successor(self) -> SipDesk:
        """Another edge at the same port that has adopted every leg of the journal."""
        port = self.edge.port
        await self.die()
        desk = SipDesk(replace(self.settings, port=port), self.bridge_to)
        await desk.start()
        desk.journal = dict(self.journal)
        for record in self.journal.values():
            desk.edge.adopt(record)
        return desk

    def save(self, leg_id: str, record: bytes) -> None:
        self.journal[leg_id] = record

    def _on_event(self, event: ev.Event) -> None:
        self.events.append(event)
        self._arrived.set()
        record = getattr(event, "record", b"")
        if record:
            self.save(event.leg_id, record)
        if self.bridge_to and type(event) not in self.paused:
            self._bridge(event)

    def _bridge(self, event: ev.Event) -> None:
        edge = self.edge
        match event:
            case ev.IncomingCall():
                edge.trying(event.leg_id)
                far = event.leg_id + ".b"
                caller = f"sip:{event.caller_number}@junctor"
                self.save(far, edge.prepare_invite(far, self.bridge_to, caller, event.display, event.sdp))
                edge.send_invite(far)
            case ev.Ringing():
                edge.progress(other(event.leg_id), 180)
            case ev.Answered():
                near = other(event.leg_id)
                self.save(near, edge.prepare_answer(near, event.sdp))
                edge.ack(event.leg_id)
                self.save(event.leg_id, edge.record(event.leg_id))
                edge.send_answer(near)
            case ev.Rejected():
                self._quietly(lambda: edge.reject(other(event.leg_id), event.code))
            case ev.Canceled():
                edge.accept(event.leg_id)
                edge.cancel(other(event.leg_id), cause=16)
            case ev.Cleared(by="peer"):
                edge.accept(event.leg_id)
                self._quietly(lambda: self.hang_up(other(event.leg_id), event.cause or 16))
            case ev.Renegotiated() | ev.Referred():
                edge.accept(event.leg_id)

    def hang_up(self, leg_id: str, cause: int = 16) -> None:
        self.save(leg_id, self.edge.prepare_bye(leg_id, cause))
        self.edge.send_bye(leg_id)

    @staticmethod
    def _quietly(command: Callable[[], None]) -> None:
        try:
            command()
        except (WrongState, UnknownLeg):
            return


def other(leg_id: str) -> str:
    return leg_id[:-2] if leg_id.endswith(".b") else leg_id + ".b"


@pytest.fixture
async def sip_desk() -> AsyncIterator[Callable[..., object]]:
    """`await sip_desk(bridge_to="", **settings)`: a started desk; every one is stopped at the end."""
    desks: list[SipDesk] = []

    async def make(bridge_to: str = "", **changed: object) -> SipDesk:
        settings = replace(SipSettings(port=0, credential=credential, journal_first=True, t1=0.05, t2=0.4), **changed)
        desk = await SipDesk(settings, bridge_to).start()
        desks.append(desk)
        return desk

    yield make
    for desk in desks:
        await desk.die()


@pytest.fixture
async def sip_phone() -> AsyncIterator[Callable[..., object]]:
    """`await sip_phone(user, desk_or_address, **options)`: a phone with T1 = 50 ms; every one is closed at the end."""
    phones: list[SipPhone] = []

    async def make(user: str, server: object, **options: object) -> SipPhone:
        address = server.server if isinstance(server, SipDesk) else server
        phone = await SipPhone.open(user, address, **{"password": PASSWORD, "t1": 0.05, **options})
        phones.append(phone)
        return phone

    yield make
    for phone in phones:
        await phone.close()
