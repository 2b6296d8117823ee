"""cti on real parts, but for the log: its journal in memory, a real SIP edge, a media process, and phones.

The other services are played by the test: what cti asks of them is kept, and what they would say is told by `report`.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.message import Message
from junctor.cti.v1 import cti_pb2
from junctor.directory.v1 import directory_pb2
from junctor.ivr.v1 import ivr_pb2
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2
from junctor_cti.adapters.media.dtmf import DtmfListener
from junctor_cti.adapters.media.media import Media
from junctor_cti.adapters.prompts import Prompts
from junctor_cti.adapters.sip import digest
from junctor_cti.adapters.sip.edge import SipEdge
from junctor_cti.adapters.sip.settings import SipSettings
from junctor_cti.application.calls import call_of, device_of, device_stream, new_fold
from junctor_cti.application.effects import CallEffects
from junctor_cti.application.entry_points import EntryPoints
from junctor_cti.application.facts import Facts
from junctor_cti.application.other_sites import OtherSites
from junctor_cti.application.performer import Peers, Performer
from junctor_cti.application.ports.media import HeardDigit
from junctor_cti.application.ports.media_errors import MediaError
from junctor_cti.application.reactions import reactions
from junctor_cti.application.redials import Redials
from junctor_cti.application.relay_performer import RelayPerformer
from junctor_cti.application.slot import Slot
from junctor_journal.events import Event, decode_event
from junctor_journal.ledger import Ledger, LedgerSettings
from junctor_journal.log import TopicDeclaration
from junctor_journal.memory import MemoryLog
from junctor_journal.replica import StateItem
from junctor_journal.static_pump import StaticPump
from junctor_local.ports import free_port
from junctor_service.arrivals import Arrivals
from junctor_service.clock import SystemClock
from junctor_service.commands import Commands
from junctor_service.effect_tasks import EffectTasks
from junctor_service.errors import Code, ServiceError
from junctor_service.ids import sip_contact_id
from junctor_service.key_store import MemoryKeyStore
from junctor_service.personal_data import Sealer
from junctor_service.settings import CommonSettings, load_settings
from junctor_service.telemetry import Telemetry
from junctor_testkit.audio import tone, write_wav
from junctor_testkit.sip_phone import PhoneCall, SipPhone

TENANT, NUMBER, PASSWORD, REALM = "demo", "4001", "geheim", "junctor"
LIMIT = 40.0
CUSTOMER_HZ, AGENT_HZ, MENU_HZ = 440, 1000, 700
T1 = 0.25


async def eventually(condition: Callable[[], Any], what: str, within: float = LIMIT) -> Any:
    """The condition's first true value."""
    limit = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < limit, f"not within {within} s: {what}"
        await asyncio.sleep(0.02)
    return found


class Directory:
    """The replica's look-ups over one tenant with one number and two agents."""

    def __init__(self) -> None:
        self._items: list[StateItem] = []
        self.put("tenant", "self", directory_pb2.Tenant(language="en"))
        self.put("number", NUMBER, directory_pb2.Number(flow="main"))
        for agent, device in (("alice", "1001"), ("bob", "1002")):
            ha1 = {"SHA-256": digest.ha1(device, REALM, PASSWORD, "SHA-256")}
            self.put("agent", agent, directory_pb2.Agent(device=device, device_ha1=ha1))

    def put(self, kind: str, id: str, value: Message) -> None:
        held = directory_pb2.DirectoryValue()
        getattr(held.value, kind).CopyFrom(value)
        self._items.append(StateItem(TENANT, kind, id, held, len(self._items)))

    def get(self, tenant: str, kind: str, id: str) -> StateItem | None:
        return next((i for i in self.all(kind, tenant) if i.id == id), None)

    def all(self, kind: str, tenant: str | None = None) -> list[StateItem]:
        return [i for i in self._items if i.kind == kind and tenant in {None, i.tenant}]

    def listen(self, listener: object) -> None:
        """Nothing changes any more."""


class Others:
    """ivr, router and recording as stubs: every request is kept; `refuse[name]` is raised instead of an answer."""

    def __init__(self) -> None:
        self.asked: list[Message] = []
        self.refuse: dict[str, ServiceError] = {}
        self.on_request: Callable[[Message], None] = lambda request: None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def method(request: Message, timeout: float | None = None) -> Any:
            self.asked.append(type(request).FromString(request.SerializeToString()))
            if name in self.refuse:
                raise self.refuse[name]
            self.on_request(request)
            return SimpleNamespace()

        return method

    def of(self, kind: type[Message]) -> list[Any]:
        """Requests of a kind; repeats of a request id count once."""
        found = {request.request_id: request for request in self.asked if isinstance(request, kind)}
        return list(found.values())


class CtiProcess:
    """What one process of cti is made of, as `bootstrap.bind` makes it."""

    def __init__(self, place: Place, sip_port: int) -> None:
        self.place = place
        self.tasks = EffectTasks("cti")
        environ = {"JUNCTOR_JWKS": str(place.folder / "none.json"), "JUNCTOR_TRACING": "false"}
        environ |= {"JUNCTOR_KAFKA_BOOTSTRAP": "127.0.0.1:1", "JUNCTOR_STATE_DIR": str(place.folder)}
        settings = load_settings(CommonSettings, service="cti", environ=environ)
        self.effects = CallEffects(self.tasks, Telemetry("cti", settings))
        self.ledger = Ledger(
            "cti",
            place.log,
            new_fold,
            self.effects,
            settings=LedgerSettings(site=place.site, address="127.0.0.1:1", instance_id="cti-0"),
            pump=StaticPump((0,)),
            route=lambda input: 0,
        )
        self.commands = Commands(self.ledger, "cti", place.site)
        entry_points: Any = EntryPoints(place.directory)  # type: ignore[arg-type]
        self.sip = SipSettings(
            port=sip_port,
            realm=REALM,
            nonce_secret=b"of the site",
            credential=entry_points.credential,
            journal_first=True,
            t1=T1,
            t2=1.0,
        )
        self.edge: SipEdge
        self.slot: Slot
        self._entry_points = entry_points

    async def start(self) -> CtiProcess:
        place = self.place
        self.media = await Media.open(place.ng)
        self.slot = Slot(
            0,
            place.site,
            self.ledger,
            self.commands,
            Facts(self.ledger, 0, place.spool),
            self.media,
            self._entry_points,
            place.sealer,
            SystemClock(),
            lambda: place.log.available,
            lambda on_event, takes_calls: SipEdge(self.sip, on_event, takes_calls),
            OtherSites(place.site, place.other_edges, b"of both sites"),
            place.redials,
            Arrivals(next(iter(place.other_edges), None), lambda: place.away_percent, lambda site: True),
        )
        self.edge = self.slot.edge  # type: ignore[assignment]
        peers = Peers(place.others, place.others, place.others)
        performer = Performer(self.slot, peers, Prompts(place.prompts), REALM, 3)
        self.effects.serve(self.slot, performer, RelayPerformer(self.slot, REALM), peers)
        self.digits = await DtmfListener.open(
            ("127.0.0.1", place.dtmf_port),
            lambda d: self.slot.events.digit(HeardDigit(d.call_id, d.side, d.digit)),
        )
        await self.ledger.start()
        await eventually(lambda: self.slot.ready, "the slot is served")
        return self

    async def die(self) -> None:
        """As SIGKILL: nothing more is sent, told or begun; what it held in memory is lost."""
        self.effects._slots.clear()
        self.tasks.end(0)
        for task in self.slot.events._tasks:
            task.cancel()
        if self.slot.facts._drainer is not None:
            self.slot.facts._drainer.cancel()
        await self.edge.stop(drain=0)
        self.digits.close()
        self.media.close()

    async def stop(self) -> None:
        await self.slot.stop()
        self.tasks.end(0)
        self.digits.close()
        self.media.close()
        await self.ledger.stop(1.0)


@dataclass(eq=False)
class Place:
    """What outlives a process: log, keys, disk, media server, the other services, phones."""

    folder: Path
    ng: tuple[str, int]
    dtmf_port: int
    site: str = "a"
    other_edges: dict[str, str] = field(default_factory=dict)
    log: MemoryLog = field(default_factory=MemoryLog)
    sealer: Sealer = field(default_factory=lambda: Sealer(MemoryKeyStore(), b"k" * 32))
    directory: Directory = field(default_factory=Directory)
    others: Others = field(default_factory=Others)
    phones: list[SipPhone] = field(default_factory=list)
    dead: list[CtiProcess] = field(default_factory=list)
    told: Any = field(default_factory=itertools.count)

    away_percent: int = 0
    silent: float = 0.0
    """For how long the other site was not heard."""

    def __post_init__(self) -> None:
        self.redials = Redials(self.site, lambda site: self.silent)
        self.spool = self.folder / "state" / "slot-0.spool"
        self.prompts = self.folder / "prompts"
        for name, hz, ms in (("welcome_menu", MENU_HZ, 8_000), ("overflow", MENU_HZ, 400), ("hold", MENU_HZ, 2_000)):
            path = self.prompts / "en" / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(path, [tone(hz, ms)])

    async def open(self, sip_port: int = 0) -> Place:
        await self.log.ensure_topics(
            TopicDeclaration(f"junctor.cti.{kind}.v1", 1 if kind == "dlq" else 12)
            for kind in ("inputs", "journal", "snapshots", "events", "dlq")
        )
        self.sip_port = sip_port or free_port()
        self.cti = await CtiProcess(self, self.sip_port).start()
        return self

    async def close(self) -> None:
        self.log.up()
        for phone in self.phones:
            await phone.close()
        await self.cti.stop()
        for process in self.dead:
            await process.ledger.stop(0.1)

    async def killed(self) -> CtiProcess:
        """The process is killed and another one serves its slot."""
        await self.cti.die()
        self.dead.append(self.cti)
        self.cti = await CtiProcess(self, self.sip_port).start()
        return self.cti

    async def phone(self, user: str, hz: int, register: bool = False) -> SipPhone:
        phone = await SipPhone.open(user, ("127.0.0.1", self.sip_port), password=PASSWORD, tone_hz=hz, t1=T1)
        self.phones.append(phone)
        if register:
            await phone.register(within=LIMIT)
            await eventually(lambda: self.device(user), f"the registration of {user} is journalled")
        return phone

    def device(self, user: str) -> Any:
        return device_of(self.fold, TENANT, device_stream(user))

    @property
    def fold(self) -> Any:
        return self.cti.ledger.state(0)

    async def dial(self, number: str = NUMBER, caller: str = "+8613800138000") -> Dialed:
        phone = await self.phone(caller, CUSTOMER_HZ)
        call = await phone.call(f"sip:{number}@127.0.0.1:{self.sip_port}")
        contact = sip_contact_id("default", call.call_id, call.local.rpartition("tag=")[2])
        return Dialed(self, call, contact)

    async def epoch(self, site_epoch: int, *reissued: Message) -> None:
        """A site epoch of the router's partition 0 began."""
        started = journal_pb2.EpochStarted(epoch=journal_pb2.Epoch(site_epoch=site_epoch))
        for message in reissued:
            started.reissued.add().Pack(message)
        await self.report(started, site_epoch)

    async def report(self, message: Message, site_epoch: int = 1) -> None:
        """An event of another service comes in."""
        id = f"event-{next(self.told)}"
        event: Any = SimpleNamespace(
            message=message, id=id, tenant=TENANT, traceparent="", journal_partition=0, site_epoch=site_epoch
        )
        for input in reactions(self.cti.commands, f"cti/{self.site}")(event):
            outcome = await self.cti.commands.tell(input, LIMIT)
            assert outcome.refusal is None, outcome.refusal

    def all_events(self) -> list[Event]:
        """What cti has said, by partition in order."""
        records = (record for p in range(12) for record in self.log.records("junctor.cti.events.v1", p))
        return list({event.id: event for event in map(decode_event, records) if event is not None}.values())

    def events(self, contact_id: str) -> list[Event]:
        """What cti has said of a contact, in order."""
        return [event for event in self.all_events() if event.stream == contact_id]

    def said(self, contact_id: str, kind: str) -> list[Any]:
        return [e.message for e in self.events(contact_id) if type(e.message).__name__ == kind]


@dataclass(eq=False)
class Dialed:
    """A customer's call, led step by step through what the other services would say."""

    place: Place
    phone: PhoneCall
    contact: str
    agent: PhoneCall | None = None
    reservations: int = 0

    @property
    def call(self) -> Any:
        """As the journal has it; None once nothing is left of it."""
        return call_of(self.place.fold, TENANT, self.contact)

    async def state(self, *states: str) -> None:
        await eventually(lambda: self.call is not None and self.call.state in states, f"the call is {states}")

    async def over(self) -> None:
        await eventually(lambda: self.call is None, "nothing is left of the call")
        await eventually(lambda: self.place.said(self.contact, "ContactClosed"), "the contact is closed")

    async def answered(self) -> Dialed:
        await self.phone.wait("answered", within=LIMIT)
        await eventually(lambda: self.place.others.of(ivr_pb2.StartFlowRequest), "the flow is started")
        await eventually(lambda: self.call.customer.phase == "up", "the ACK is journalled")
        return self

    async def menu(self) -> Dialed:
        request = cti_pb2.PromptAndCollectRequest(
            request_id=f"menu/{self.contact}",
            tenant=TENANT,
            contact_id=self.contact,
            verb_id="menu/1",
            prompts=["welcome_menu"],
            max_digits=1,
            timeout_ms=60_000,
            barge_in=True,
        )
        await self.place.cti.commands.apply(request, stream=self.contact)
        await self.phone.rtp.wait_for_tone(MENU_HZ, within=LIMIT)
        return self

    async def routed(self, wait_prompt: str = "hold") -> Dialed:
        await self.place.report(
            ivr_pb2.FlowEnded(
                contact_id=self.contact, result=ivr_pb2.FLOW_RESULT_ROUTE, queue="loans", wait_prompt=wait_prompt
            )
        )
        await eventually(lambda: self.place.others.of(router_pb2.RequestTaskRequest), "the router is asked")
        await eventually(lambda: not self.call.owed, "the router's answer is journalled")
        return self

    async def offered(self, agent: str = "alice", device: str = "1001", site_epoch: int = 1) -> str:
        self.reservations += 1
        reservation = f"r{self.reservations}"
        await self.place.report(
            router_pb2.ReservationCreated(
                contact_id=self.contact,
                reservation_id=reservation,
                agent_id=agent,
                device=device,
                expires_at=time.time_ns() // 1_000_000 + 60_000,
                queue="loans",
                edge=f"cti/{self.place.site}",
            ),
            site_epoch,
        )
        return reservation

    async def ended(self, reservation: str, cause: str = "timed_out") -> None:
        await self.place.report(
            router_pb2.ReservationEnded(
                contact_id=self.contact, reservation_id=reservation, cause=cause, edge=f"cti/{self.place.site}"
            )
        )

    async def bridged(self, agent: SipPhone) -> Dialed:
        self.agent = await agent.next_call(within=LIMIT)
        await self.agent.wait("answered", within=LIMIT)
        await self.state("bridged")
        await asyncio.gather(
            self.phone.rtp.wait_for_tone(agent.tone_hz, within=LIMIT),
            self.agent.rtp.wait_for_tone(CUSTOMER_HZ, within=LIMIT),
        )
        return self

    async def wrapped_up(self) -> None:
        await self.place.report(
            router_pb2.TaskCompleted(contact_id=self.contact, disposition="sold", edge=f"cti/{self.place.site}")
        )

    def segments(self) -> list[tuple[str, str, str]]:
        return [
            (
                ended.DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number[ended.kind].name,
                ended.agent_id,
                ended.DESCRIPTOR.fields_by_name["result"].enum_type.values_by_number[ended.result].name,
            )
            for ended in self.place.said(self.contact, "SegmentEnded")
        ]


def refusal(code: Code = Code.FAILED_PRECONDITION) -> ServiceError:
    return ServiceError(code, "not now")


@pytest.fixture(scope="module")
def media_server(tmp_path_factory):
    """A media process: (ng address, port that it reports digits to)."""
    ng, digits = free_port(), free_port()
    base = 13_000 + ng % 100 * 100
    command = [sys.executable, "-m", "junctor_local.media", "--ng", f"127.0.0.1:{ng}"]
    command += ["--dtmf-log", f"127.0.0.1:{digits}", "--port-min", str(base), "--port-max", str(base + 98)]
    with (tmp_path_factory.mktemp("media") / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield ("127.0.0.1", ng), digits
    process.send_signal(signal.SIGTERM)
    process.wait(10)


@pytest.fixture
async def place(media_server, tmp_path):
    ng, digits = media_server
    media = await Media.open(ng)
    limit = time.monotonic() + LIMIT
    while True:
        try:
            await media.ping()
            break
        except MediaError:
            assert time.monotonic() < limit, "the media process is not up"
    media.close()
    opened = await Place(tmp_path, ng, digits).open()
    yield opened
    await opened.close()


@pytest.fixture
async def sites(media_server, tmp_path):
    """The edges of sites a and b, which know each other; they share a media server, and nothing else."""
    ng, digits = media_server
    ports = {"a": free_port(), "b": free_port()}
    places = []
    for site, other in (("a", "b"), ("b", "a")):
        folder = tmp_path / site
        folder.mkdir()
        edges = {other: f"127.0.0.1:{ports[other]}"}
        heard = digits if site == "a" else free_port()
        places.append(await Place(folder, ng, heard, site, edges).open(ports[site]))
    yield tuple(places)
    for place in places:
        await place.close()
