"""The register of two sites from a service's settings: who leads its partitions, and where the other site's Kafka is."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from junctor_journal import topics
from junctor_journal.errors import LogUnavailable
from junctor_journal.kafka import KafkaLog
from junctor_journal.leadership import Grant
from junctor_journal.ledger import TwoSites
from junctor_register.places import voters_at
from junctor_register.rules import Seat
from junctor_register.site_register import SiteRegister
from junctor_register.voter import Voter

from junctor_service.client import Channels
from junctor_service.run import Component
from junctor_service.settings import CommonSettings, SettingsError
from junctor_service.tls import brokers_from
from junctor_service.token_source import workload_tokens
from junctor_service.tokens import Role

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5


class SiteLead:
    """A component, to be started after the log: this site's seat in the register of one service, and its `Leadership`.

    Who sits there is told by the id of the Kafka cluster, which a site started with another's name does not have. Until
    Kafka has told it, this site leads nothing.
    """

    name = "register"

    def __init__(self, service: str, settings: CommonSettings, near: KafkaLog) -> None:
        """Raises `SettingsError`. To be made where the settings name another site."""
        self._service = service
        self._settings = settings
        self._near = near
        self._channels = Channels(workload_tokens(settings, service, (Role.SERVICE, Role.REGISTER)), settings=settings)
        self._register: SiteRegister | None = None
        self._listeners: dict[int, Callable[[int], None]] = {}
        self._highest: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None

    # -- the component --

    @property
    def ready(self) -> bool:
        """Always: a site that cannot reach the voters follows, and serves reads."""
        return True

    async def start(self) -> None:
        """Goes on in the background: neither Kafka nor a voter is waited for. `SettingsError` for a voter's place."""
        try:
            voters = voters_at(self._settings.voters, self._service, self._channels.channel)
        except ValueError as error:
            raise SettingsError([f"JUNCTOR_VOTERS: {error}"]) from error
        self._task = asyncio.create_task(self._sit(voters), name="register")

    async def stop(self, deadline: float) -> None:
        """Ends the rounds and the connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._register is not None:
            await self._register.stop(deadline)
        await self._channels.close()

    @property
    def away(self) -> Mapping[str, str] | None:
        """The voters that did not answer the last round, and why; None while this site has no seat."""
        return None if self._register is None else self._register.away

    # -- the port `Leadership` --

    def granted(self, partition: int) -> Grant | None:
        """See `Leadership.granted`."""
        return None if self._register is None else self._register.granted(partition)

    def confirmed_until(self, partition: int) -> float:
        """See `Leadership.confirmed_until`."""
        return -math.inf if self._register is None else self._register.confirmed_until(partition)

    def watch(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """See `Leadership.watch`."""
        key = id(listener)
        self._listeners[key] = listener

        def end() -> None:
            self._listeners.pop(key, None)

        return end

    def seen(self, partition: int, site_epoch: int) -> None:
        """See `Leadership.seen`."""
        self._highest[partition] = max(site_epoch, self._highest.get(partition, 0))
        if self._register is not None:
            self._register.seen(partition, site_epoch)

    async def give_up(self, partition: int, site_epoch: int) -> None:
        """See `Leadership.give_up`."""
        if self._register is not None:
            await self._register.give_up(partition, site_epoch)

    async def hand_over(self, partition: int, site_epoch: int, to_site: str, seq: int, hash: bytes) -> None:
        """See `Leadership.hand_over`."""
        if self._register is None:
            raise LogUnavailable(f"site {self._settings.site} has no seat in the register yet")
        await self._register.hand_over(partition, site_epoch, to_site, seq, hash)

    # -- the seat --

    async def _sit(self, voters: Mapping[str, Voter]) -> None:
        while True:
            try:
                identity = await self._near.identity()
                count = await self._near.partitions(topics.journal(self._service))
                if count:
                    break
            except LogUnavailable as error:
                log.info("the seat in the register waits for Kafka", extra={"reason": str(error)})
            await asyncio.sleep(_RETRY_SECONDS)
        seat = Seat(
            self._settings.site,
            identity,
            tuple(sorted(voters)),
            tuple(range(count)),
            preferred=frozenset(self._settings.preferred_partitions),
            automatic=len(voters) > 2,
        )
        register = SiteRegister(seat, voters)
        register.watch(self._tell)
        for partition, epoch in self._highest.items():
            register.seen(partition, epoch)
        self._register = register
        await register.start()

    def _tell(self, partition: int) -> None:
        for listener in list(self._listeners.values()):
            listener(partition)


class _FarLog:
    name = "other site's log"
    ready = True

    def __init__(self, log: KafkaLog) -> None:
        self._log = log

    async def start(self) -> None:
        await self._log.start()

    async def stop(self, deadline: float) -> None:
        await self._log.stop()


@dataclass(frozen=True, slots=True)
class SiteParts:
    """What a led service needs of the sites: for its ledger, its seat, and what is to be started before the ledger."""

    sites: TwoSites
    lead: SiteLead
    components: Sequence[Component]


def two_sites(service: str, settings: CommonSettings, near: KafkaLog) -> SiteParts | None:
    """What a ledger is to know of the sites, and the parts to be started before it. None where there is one site.

    The other site's Kafka is reached as the own one is: with the same user, certificates and authority. Raises
    `SettingsError`.
    """
    other = settings.other_site
    if other is None:
        return None
    names = [place.partition("=")[0].strip() for place in settings.voters]
    problems = [
        f"JUNCTOR_VOTERS names no voter {site}; each site has one of its name."
        for site in (settings.site, other)
        if site not in names
    ]
    if other == settings.site:
        problems = [f"JUNCTOR_SITE and JUNCTOR_OTHER_SITE are both {other}; two sites have two names."]
    if problems:
        raise SettingsError(problems)
    lead = SiteLead(service, settings, near)
    if not settings.other_kafka_bootstrap:
        return SiteParts(TwoSites(lead, other), lead, [lead])
    addresses = ",".join(str(broker) for broker in settings.other_kafka_bootstrap)
    far = KafkaLog(replace(brokers_from(settings), addresses=addresses), client_id=f"{service}-{settings.site}-far")
    return SiteParts(TwoSites(lead, other, far), lead, [_FarLog(far), lead])
