"""A customer comes back with a token: here, at the other site while that lives, or here because that is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_service.arrivals import Arrivals
from junctor_service.errors import ServiceError

from junctor_omnichannel.application.far_conversations import FarConversations
from junctor_omnichannel.application.mapping import MAPPING
from junctor_omnichannel.domain import commands as c
from junctor_omnichannel.domain.conversation import Conversation


class Elsewhere(Exception):
    """The conversation is at that site; `url` is where its customers connect, empty where it is not known here. To be tried
    again, there or here: a site that is lost is known to be so after some seconds."""

    retryable = True

    def __init__(self, site: str, url: str) -> None:
        super().__init__(f"Site {site} serves this conversation.")
        self.site = site
        self.url = url


@dataclass(frozen=True, slots=True)
class Place:
    """What a token says of a conversation; see `customer_tokens.Claim`."""

    tenant: str
    contact_id: str
    site: str
    leg: int
    arrived_at: int
    queue: str


class Returning:
    """`heard(site)`: whether the other site's omnichannel lives, as far as it is known here. `tell` records a fact and raises
    where it is refused. `urls`: where customers reach other sites."""

    def __init__(
        self,
        site: str,
        urls: Mapping[str, str],
        look: Callable[[str, str], Conversation | None],
        far: FarConversations,
        heard: Callable[[str], bool] | None,
        entry: Callable[[str, str], pb.EntryPoint | None],
        tell: Callable[..., Awaitable[Any]],
        arrivals: Arrivals,
    ) -> None:
        self._site = site
        self._urls = urls
        self._look = look
        self._far = far
        self._heard = heard
        self._entry = entry
        self._tell = tell
        self._arrivals = arrivals

    def elsewhere(self, site: str) -> Elsewhere:
        """To be raised for who is to connect to that site."""
        return Elsewhere(site, self._urls.get(site, ""))

    def arrive(self, tenant: str, contact_id: str) -> None:
        """A new conversation, or the same hello once more. Raises `Elsewhere` where it is to begin at the other site."""
        there = self._arrivals.sent_to(contact_id)
        known = self._look(tenant, contact_id) if there is not None else None
        if there is not None and self._urls.get(there) and (known is None or not known.state):
            raise self.elsewhere(there)

    async def come_back(self, place: Place, widget: str) -> None:
        """Returns when the conversation is this site's, or is over. Raises `Elsewhere`, and `ServiceError`
        (FAILED_PRECONDITION where it has ended; retryable where the log does not answer)."""
        known = self._look(place.tenant, place.contact_id)
        if known is not None and known.moved_to:
            raise self.elsewhere(known.moved_to)
        if known is not None and known.state and known.leg >= place.leg:
            return
        if place.site in {"", self._site} or self._heard is None:
            return
        if self._heard(place.site):
            raise self.elsewhere(place.site)
        await self._reattach(place, widget)

    async def _reattach(self, place: Place, widget: str) -> None:
        far = self._far.find(place.tenant, place.contact_id)
        leg = 1 + max(place.leg, far.leg if far is not None else 1)
        command = self._with_token(place, widget, leg) if far is None else self._with_events(place, far, leg)
        await self._tell(
            MAPPING.to_message(command),
            id=f"{place.tenant}/omnichannel/{place.contact_id}/leg/{leg}",
            tenant=place.tenant,
            stream=place.contact_id,
            correlation_id=place.contact_id,
        )

    def _with_token(self, place: Place, widget: str, leg: int) -> c.CustomerReattached:
        """Nothing of it was mirrored but what the customer holds."""
        found = self._entry(place.tenant, widget)
        entry = MAPPING.to_domain(found) if found is not None else None
        return c.CustomerReattached(
            place.contact_id, leg, place.site, self._site, widget, entry, place.arrived_at, queue=place.queue
        )

    def _with_events(self, place: Place, far: Conversation, leg: int) -> c.CustomerReattached:
        return c.CustomerReattached(
            contact_id=place.contact_id,
            leg=leg,
            previous_site=place.site,
            site=self._site,
            widget=far.widget,
            entry=far.entry,
            arrived_at=far.arrived_at,
            state=far.state,
            messages=far.messages,
            data=far.data,
            queue=far.queue if far.task else "",
            requirements=far.requirements,
            routed=far.routed,
            missed=far.missed,
            segments=far.segments,
        )


def refused(outcome: Any) -> None:
    """Raises the refusal of an outcome as `ServiceError`."""
    if outcome.refusal is not None and outcome.refusal.code:
        raise ServiceError.from_status(outcome.refusal)
