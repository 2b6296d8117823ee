"""The legs of one edge, found by id, by dialog and by the INVITE that opened them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from junctor_cti.adapters.sip import dialog
from junctor_cti.adapters.sip.codec import Request
from junctor_cti.adapters.sip.dialog import Record
from junctor_cti.adapters.sip.transactions import ClientTransaction, ServerTransaction
from junctor_cti.application.ports.edge import UnknownLeg, WrongState

HeldKind = Literal["bye", "cancel", "offer", "refer"]


@dataclass(slots=True)
class Held:
    """A request whose answer waits for `SipEdge.accept`."""

    kind: HeldKind
    transaction: ServerTransaction
    request: Request


@dataclass(slots=True, eq=False)
class Leg:
    """A record with what only this process needs. `unacknowledged` maps the CSeq of each 2xx sent that waits for its
    ACK to its transaction; `wants_cancel`: CANCEL as soon as a provisional response comes (RFC 3261 9.1)."""

    record: Record
    invite_server: ServerTransaction | None = None
    invite_client: ClientTransaction | None = None
    reinvite_client: ClientTransaction | None = None
    unacknowledged: dict[int, ServerTransaction] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    ack: bytes = b""
    wants_cancel: bool = False
    cancel_sent: bool = False
    wants_bye: bool = False
    bye_sent: bool = False
    bye_repeated: bool = False
    offered_last: tuple[int, str, str] = (0, "", "")

    @property
    def id(self) -> str:
        return self.record.leg_id

    def require(self, command: str, *states: str) -> None:
        if self.record.state not in states:
            raise WrongState(self.id, self.record.state, command)


class LegTable:
    """Ended legs stay until `sweep` finds their time over, so that a repeated BYE is answered with 200."""

    def __init__(self) -> None:
        self._by_id: dict[str, Leg] = {}
        self._by_dialog: dict[tuple[str, str], Leg] = {}
        self._by_origin: dict[tuple[str, str, int], Leg] = {}
        self._ends: deque[tuple[float, Leg]] = deque()

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, leg: Leg) -> None:
        former = self._by_id.get(leg.id)
        if former is not None:
            self.remove(former)
        record = leg.record
        self._by_id[leg.id] = leg
        self._by_dialog[record.call_id, record.local_tag] = leg
        if record.incoming:
            self._by_origin[record.call_id, record.remote_tag, record.invite_cseq] = leg

    def remove(self, leg: Leg) -> None:
        record = leg.record
        if self._by_id.get(leg.id) is leg:
            del self._by_id[leg.id]
        if self._by_dialog.get((record.call_id, record.local_tag)) is leg:
            del self._by_dialog[record.call_id, record.local_tag]
        origin = (record.call_id, record.remote_tag, record.invite_cseq)
        if self._by_origin.get(origin) is leg:
            del self._by_origin[origin]

    def ended(self, leg: Leg, until: float) -> None:
        self._ends.append((until, leg))

    def sweep(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            self.remove(self._ends.popleft()[1])

    def get(self, leg_id: str) -> Leg:
        """Raises `UnknownLeg`."""
        leg = self._by_id.get(leg_id)
        if leg is None:
            raise UnknownLeg(f"no leg {leg_id}")
        return leg

    def find(self, leg_id: str) -> Leg | None:
        return self._by_id.get(leg_id)

    def of_dialog(self, call_id: str, local_tag: str) -> Leg | None:
        return self._by_dialog.get((call_id, local_tag))

    def of_origin(self, call_id: str, from_tag: str, number: int) -> Leg | None:
        return self._by_origin.get((call_id, from_tag, number))

    def live(self) -> list[Leg]:
        return [leg for leg in self._by_id.values() if leg.record.state != dialog.ENDED]
