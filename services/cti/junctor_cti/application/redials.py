"""Callers of the other site whose calls were not over: who of them redials here after it was lost gets the old place.

What is known of them came through the mirror. A call whose end is known, and one of a site that is heard, is nobody's place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2
from junctor_journal.events import Event

REDIAL_SECONDS = 600.0
"""How long after a site was lost its callers have their places."""
LOST_SECONDS = 5.0
"""A site whose edge was not heard for so long is taken for lost by who redials; callers hear the end of their audio first."""
_OVER = frozenset({cti_pb2.CALL_STATE_WRAPPING, cti_pb2.CALL_STATE_TREATED, cti_pb2.CALL_STATE_CLOSED})


@dataclass(frozen=True, slots=True)
class FarCall:
    """A call that the other site has, or had. `called_number` as it was dialled; `caller_hash` as the sealer makes it."""

    tenant: str
    contact_id: str
    site: str
    caller_hash: str
    called_number: str
    arrived_at: int
    leg: int = 1
    queue: str = ""
    segments: int = 0


class Redials:
    """`silent_for(site)`: seconds since that site's edge was heard last; 0 while it lives, or where it cannot be known yet."""

    def __init__(self, site: str, silent_for: Callable[[str], float]) -> None:
        self._site = site
        self._silent_for = silent_for
        self._calls: dict[tuple[str, str], FarCall] = {}
        self._taken: dict[tuple[str, str], int] = {}

    def lost(self, site: str) -> bool:
        """Whether that site is taken for lost."""
        return self._silent_for(site) >= LOST_SECONDS

    def __len__(self) -> int:
        return len(self._calls)

    def see(self, event: Event) -> None:
        """An event of this site's or the other's cti."""
        key, message = (event.tenant, event.stream), event.message
        match message:
            case contact_pb2.Reattached() if message.site == self._site:
                self._take(key, message.leg)
            case contact_pb2.Reattached():
                self._add(key, message, message.leg)
            case contact_pb2.ContactOpened() if event.site != self._site:
                self._add(key, message, leg=1)
            case contact_pb2.SegmentStarted() if key in self._calls and event.site != self._site:
                queue = message.queue or self._calls[key].queue
                self._calls[key] = replace(self._calls[key], segments=message.segment, queue=queue)
            case contact_pb2.ContactClosed() if event.site != self._site:
                self._calls.pop(key, None)
            case cti_pb2.CallStateChanged() if message.state in _OVER and event.site != self._site:
                self._calls.pop(key, None)
            case _:
                return

    def take(self, tenant: str, caller_hash: str, called_number: str) -> FarCall | None:
        """The oldest place of this caller, who dials the same number again; it is theirs from now on. None where there is
        none, or its site is not lost, or has been for too long."""
        found = [
            call
            for call in self._calls.values()
            if (call.tenant, call.caller_hash, call.called_number) == (tenant, caller_hash, called_number)
            and LOST_SECONDS <= self._silent_for(call.site) <= REDIAL_SECONDS
        ]
        if not found or not caller_hash:
            return None
        oldest = min(found, key=lambda call: (call.arrived_at, call.contact_id))
        self._take((oldest.tenant, oldest.contact_id), oldest.leg + 1)
        return oldest

    def _take(self, key: tuple[str, str], leg: int) -> None:
        self._taken[key] = max(leg, self._taken.get(key, 0))
        self._calls.pop(key, None)

    def _add(self, key: tuple[str, str], came: contact_pb2.ContactOpened | contact_pb2.Reattached, leg: int) -> None:
        """The two sites' events come in no order between them."""
        if leg > self._taken.get(key, 0):
            self._calls[key] = FarCall(*key, came.site, came.customer_hash, came.entry_point, came.arrived_at, leg)


def tells_who(number: str) -> bool:
    """Whether a caller's number is one: withheld ones are empty or words such as `anonymous` (RFC 3323, section 4.1.1)."""
    return number.removeprefix("+").isdigit()
