"""What the SIP edge reports to the decider. `record` is the leg's state as `SipEdge.adopt` takes it.

Every leg ends with exactly one of `Rejected`, `Canceled` or `Cleared`, unless the decider rejects it itself or the
process dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A new INVITE outside a dialog. Nothing has been sent: journal `record`, then call `trying`.

    `call_id` and `from_tag` are as the caller sent them: with the trunk they name the contact, also when the INVITE is
    repeated at another edge. `sdp` is empty where the INVITE has no offer (the answer then carries ours).
    `aor` is the registered address the source belongs to, or empty. `headers` has lower-case names, those of
    `SipSettings.report_headers` that came.
    """

    leg_id: str
    call_id: str
    from_tag: str
    caller_uri: str
    caller_number: str
    called_number: str
    display: str
    sdp: str
    source: str
    trunk: str
    aor: str
    headers: Mapping[str, str]
    record: bytes


@dataclass(frozen=True, slots=True)
class Ringing:
    """A provisional response above 100 to our INVITE. `sdp` is early media's, or empty."""

    leg_id: str
    code: int
    sdp: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The first 2xx to our INVITE. Journal `record`, then call `ack`: until then the peer repeats its 2xx."""

    leg_id: str
    sdp: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A final failure of our INVITE; 408 is also a peer that never answered, 503 a transport that failed.
    487 follows `cancel`. `cause` is the Q.850 cause of the Reason header, 0 without one."""

    leg_id: str
    code: int
    reason: str
    cause: int = 0


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK of our 2xx came. `sdp` is the ACK's answer where our 2xx carried the offer, else empty."""

    leg_id: str
    sdp: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Cleared:
    """The dialog is over. by "peer": their BYE, which `accept` answers; "us": our BYE is done (answered, refused or
    timed out: `code`). `cause` is the Q.850 cause of the Reason header (RFC 3326), 0 without one."""

    leg_id: str
    cause: int
    by: Literal["peer", "us"]
    code: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Canceled:
    """The caller gave up before the answer. `accept` sends the 200 of the CANCEL and the 487 of the INVITE."""

    leg_id: str
    cause: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Renegotiated:
    """A re-INVITE or UPDATE. `sdp` is the peer's new offer (empty for a target refresh or a request for our offer);
    `direction` is the peer's audio attribute: sendonly or inactive is hold. `accept` answers it with our SDP."""

    leg_id: str
    sdp: str
    direction: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Reinvited:
    """Our `reinvite` has its final response; `sdp` is the peer's answer when `code` is 2xx, else empty."""

    leg_id: str
    code: int
    sdp: str
    record: bytes


@dataclass(frozen=True, slots=True)
class DtmfInfo:
    """One digit (0-9 * # A-D) by SIP INFO, already answered. `duration_ms` is 0 where the peer gave none."""

    leg_id: str
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Referred:
    """The peer asks for a transfer. `accept` answers 202; `notify` then tells it how the transfer went."""

    leg_id: str
    refer_to: str
    record: bytes


@dataclass(frozen=True, slots=True)
class AckTimeout:
    """Our 2xx was repeated for 64 x T1 without an ACK (RFC 3261 13.3.1.4): end the leg with BYE."""

    leg_id: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A binding was added or refreshed, and the 200 sent. `expires_at` is Unix milliseconds.
    `binding` is what `SipEdge.restore_binding` takes."""

    aor: str
    contact: str
    expires_at: int
    user_agent: str
    binding: bytes


@dataclass(frozen=True, slots=True)
class Unregistered:
    """A binding ended. `why`: "asked" by the phone, "expired", "replaced" (limit), "connection" closed."""

    aor: str
    contact: str
    why: str


Event = (
    IncomingCall
    | Ringing
    | Answered
    | Rejected
    | Confirmed
    | Cleared
    | Canceled
    | Renegotiated
    | Reinvited
    | DtmfInfo
    | Referred
    | AckTimeout
    | Registered
    | Unregistered
)
