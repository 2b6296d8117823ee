"""The edges of other sites: where they are, and how one edge shows the other that a call is meant for an agent's phone.

The ticket in the header TICKET is signed with a secret that the sites share (HMAC-SHA256, RFC 2104). It names the contact,
the reservation and the phone, is bound to the SDP offer, and is good for SECONDS: who overhears it can do nothing with it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from junctor_service.crypto import keyed_hash

TICKET = "x-junctor-relay"
SECONDS = 30


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the edge that owns the contact says."""

    site: str
    tenant: str
    contact_id: str
    reservation_id: str
    agent_id: str
    device: str
    partition: int
    site_epoch: int


class OtherSites:
    """`addresses`: host:port of the other sites' edges by site; empty where there is one site."""

    def __init__(self, site: str, addresses: Mapping[str, str], secret: bytes) -> None:
        self.site = site
        self._addresses = dict(addresses)
        self._secret = secret

    def first(self) -> str | None:
        """The other site, if there is one."""
        return next(iter(sorted(self._addresses)), None)

    def uri(self, site: str, device: str) -> str:
        """Where a phone that is registered at the site is asked for."""
        return f"sip:{device}@{self._addresses[site]}"

    def sign(self, ticket: Ticket, sdp: str, now: int) -> str:
        """The header's value; `now` in Unix milliseconds."""
        said = "&".join(quote(part, safe="") for part in (*_parts(ticket), str(now)))
        return f"{said}&{self._mac(said, sdp)}"

    def verified(self, header: str, sdp: str, now: int) -> Ticket | None:
        """What a known site says; None for what is forged, was for another call, or is too old."""
        said, _, mac = header.rpartition("&")
        if not hmac.compare_digest(mac.encode(), self._mac(said, sdp).encode()):
            return None
        parts = (unquote(part) for part in said.split("&"))
        site, tenant, contact_id, reservation_id, agent_id, device, partition, epoch, at = parts
        ticket = Ticket(site, tenant, contact_id, reservation_id, agent_id, device, int(partition), int(epoch))
        if ticket.site not in self._addresses or abs(now - int(at)) > SECONDS * 1000:
            return None
        return ticket

    def _mac(self, said: str, sdp: str) -> str:
        return keyed_hash(self._secret, f"{said}\n{hashlib.sha256(sdp.encode()).hexdigest()}".encode())


def _parts(ticket: Ticket) -> tuple[str, ...]:
    return (
        ticket.site,
        ticket.tenant,
        ticket.contact_id,
        ticket.reservation_id,
        ticket.agent_id,
        ticket.device,
        str(ticket.partition),
        str(ticket.site_epoch),
    )
