"""An agent's phone of this site, rung for a contact that another site owns: what comes from its edge goes on to the phone.

The two legs are joined by signalling alone (RFC 7092, a signalling-only back-to-back user agent): descriptions pass as
they are, so media go between the other site and the phone. A relay decides nothing of the contact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from junctor_cti.domain import commands as c
from junctor_cti.domain.call import Leg, Phase
from junctor_cti.domain.events import RelayStateChanged

STREAM = "relay/"
State = Literal["ringing", "answered", "talking", "ended"]


@dataclass(frozen=True, slots=True)
class Relay:
    """`trunk` is the leg to the other site's edge, `phone` the one to the agent. `code` is what a trunk's INVITE is
    refused with, 0 as long as it is not. Descriptions are sealed."""

    tenant: str
    contact_id: str
    reservation_id: str
    agent_id: str
    device: str
    site: str
    caller_number: str
    sdp: str
    state: State
    trunk: Leg
    phone: Leg | None = None
    phone_sdp: str = ""
    leaving: tuple[Leg, ...] = ()
    code: int = 0

    @property
    def stream(self) -> str:
        """Its stream in the journal."""
        return stream_of(self.contact_id, self.trunk.id)

    @property
    def wanted(self) -> bool:
        """Whether the other site still wants the phone."""
        return self.trunk.phase in ("incoming", "answering", "up") and not self.code


def stream_of(contact_id: str, leg_id: str) -> str:
    """The stream of the relay that a leg from another site began."""
    return f"{STREAM}{contact_id}/{leg_id}"


def contact_of(stream: str) -> str:
    """The contact that a relay's stream is about."""
    return stream.removeprefix(STREAM).partition("/")[0]


def arrive(command: c.RelayArrived) -> tuple[Relay, list[Any]]:
    """The phone is to be rung."""
    relay = Relay(
        tenant=command.tenant,
        contact_id=command.contact_id,
        reservation_id=command.reservation_id,
        agent_id=command.agent_id,
        device=command.device,
        site=command.site,
        caller_number=command.caller_number,
        sdp=command.sdp,
        state="ringing",
        trunk=Leg(command.leg_id, "incoming", command.leg_record),
    )
    return relay, [_told(relay)]


def apply(relay: Relay, command: Any) -> tuple[Relay, list[Any]]:
    """One input: of the legs, or an effect's failure. Inputs that come late change nothing."""
    after = _after(relay, command)
    after = _settled(after)
    return after, [_told(after)] if after.state != relay.state else []


def over(relay: Relay) -> bool:
    """Nothing is left of it."""
    return relay.trunk.phase == "gone" and relay.phone is None and not relay.leaving


def _after(relay: Relay, command: Any) -> Relay:
    match command:
        case c.AgentLegPrepared():
            return _prepared(relay, Leg(command.leg_id, "prepared", command.leg_record))
        case c.AgentLegAnswered():
            return _answered(relay, Leg(command.leg_id, "answered", command.leg_record), command.sdp)
        case c.AgentLegFailed():
            left = replace(relay, leaving=tuple(leg for leg in relay.leaving if leg.id != command.leg_id))
            ours = relay.phone is None or relay.phone.id == command.leg_id
            return replace(left, phone=None, code=command.sip_code) if ours and relay.wanted else left
        case c.CallAnswered() if relay.trunk.phase == "incoming":
            return replace(relay, trunk=Leg(relay.trunk.id, "answering", command.leg_record))
        case c.LegRecorded():
            return _recorded(relay, command)
        case c.LegCleared():
            return _cleared(relay, command.leg_id)
        case c.StepFailed():
            return replace(relay, code=relay.code or 503) if relay.trunk.phase == "incoming" else _hang_up(relay)
    return relay


def _prepared(relay: Relay, leg: Leg) -> Relay:
    if leg.id in {known.id for known in (relay.phone, *relay.leaving) if known is not None}:
        return relay
    if relay.wanted and relay.phone is None:
        return replace(relay, phone=leg)
    return replace(relay, leaving=(*relay.leaving, replace(leg, phase="canceling")))


def _answered(relay: Relay, leg: Leg, sdp: str) -> Relay:
    if relay.phone is not None and relay.phone.id == leg.id:
        return replace(relay, phone=leg, phone_sdp=sdp) if relay.phone.phase == "prepared" else relay
    others = tuple(one for one in relay.leaving if one.id != leg.id)
    return replace(relay, leaving=(*others, replace(leg, phase="clearing")))


def _recorded(relay: Relay, command: c.LegRecorded) -> Relay:
    record = command.leg_record
    if command.leg_id == relay.trunk.id:
        phase: Phase = "up" if relay.trunk.phase == "answering" else relay.trunk.phase
        return replace(relay, trunk=replace(relay.trunk, phase=phase, record=record))
    if relay.phone is not None and command.leg_id == relay.phone.id:
        return replace(relay, phone=replace(relay.phone, record=record))
    leaving = tuple(replace(leg, record=record) if leg.id == command.leg_id else leg for leg in relay.leaving)
    return replace(relay, leaving=leaving)


def _cleared(relay: Relay, leg_id: str) -> Relay:
    if leg_id == relay.trunk.id:
        return replace(relay, trunk=replace(relay.trunk, phase="gone"))
    if relay.phone is not None and leg_id == relay.phone.id:
        return _hang_up(replace(relay, phone=None))
    return replace(relay, leaving=tuple(leg for leg in relay.leaving if leg.id != leg_id))


def _hang_up(relay: Relay) -> Relay:
    """The other site's leg is ended: by a refusal before it is answered, by BYE after."""
    if relay.trunk.phase == "incoming":
        return replace(relay, code=relay.code or 480)
    if relay.trunk.phase in ("answering", "up"):
        return replace(relay, trunk=replace(relay.trunk, phase="clearing"))
    return relay


def _settled(relay: Relay) -> Relay:
    """The phone leaves once nobody wants it; the state says how far it came."""
    if not relay.wanted and relay.phone is not None:
        phase: Phase = "canceling" if relay.phone.phase == "prepared" else "clearing"
        relay = replace(relay, phone=None, leaving=(*relay.leaving, replace(relay.phone, phase=phase)))
    if not relay.wanted:
        return replace(relay, state="ended")
    if relay.phone is None or relay.phone.phase == "prepared":
        return replace(relay, state="ringing")
    return replace(relay, state="talking" if relay.trunk.phase == "up" else "answered")


def _told(relay: Relay) -> RelayStateChanged:
    return RelayStateChanged(
        relay.tenant,
        relay.contact_id,
        relay.reservation_id,
        relay.agent_id,
        relay.device,
        relay.site,
        relay.state,
    )
