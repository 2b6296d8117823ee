"""The register of two sites from a service's settings: who leads its partitions, and where the other site's Kafka is."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from junctor_journal import topics
from junctor_journal.brokers import Brokers
from junctor_journal.errors import LogUnavailable
from junctor_journal.kafka import KafkaLog
from junctor_journal.leadership import Grant
from junctor_journal.ledger import TwoSites
from junctor_register.places import voters_at
from junctor_register.rules import Seat
from junctor_register.site_register import SiteRegister
from junctor_register.voter import Voter

from junctor_service.client import Channels
from junctor_service.settings import CommonSettings, SettingsError
from junctor_service.token_source import workload_tokens
from junctor_service.tokens import Role

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5


class Sites:
    """A component, to be started after the log: this site's seat in the register of one service, and its `Leadership`.

    Who sits there is told by the id of the Kafka cluster, which a site started with another's name does not have. Until
    Kafka has told it, this site leads nothing.
    """

    name = "sites"

    def __init__(self, service: str, settings: CommonSettings, near: KafkaLog, brokers: Brokers) -> None:
        """Raises `SettingsError`. To be made where `settings.other_site` is set."""
        assert settings.other_site is not None
        self.other = settings.other_site
        self._service = service
        self._site = settings.site
        self._near = near
        tokens = workload_tokens(settings, service, (Role.SERVICE, Role.REGISTER))
        self._channels = Channels(tokens, settings=settings)
        self._places = settings.voters or ()
        self._check()
        self._far = _far(settings, service, brokers)
        self._register: SiteRegister | None = None
        self._listeners: dict[int, Callable[[int], None]] = {}
        self._highest: dict[int, int] = {}
        self._task: asyncio.Task[None] | None = None

    def two_sites(self) -> TwoSites:
        """What a ledger is to know."""
        return TwoSites(self, self.other, self._far)

    # -- the component --

    @property
    def ready(self) -> bool:
        """Always: a site that cannot reach the voters follows, and serves reads."""
        return True

    async def start(self) -> None:
        """Goes on in the background: neither Kafka nor a voter is waited for."""
        if self._far is not None:
            await self._far.start()
        self._task = asyncio.create_task(self._sit(), name="sites")

    async def stop(self, deadline: float) -> None:
        """Ends the rounds and the connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._register is not None:
            await self._register.stop(deadline)
        await self._channels.close()
        if self._far is not None:
            await self._far.stop()

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
            raise LogUnavailable(f"site {self._site} has no seat in the register yet")
        await self._register.hand_over(partition, site_epoch, to_site, seq, hash)

    # -- the seat --

    def _check(self) -> None:
        problems = []
        if self.other == self._site:
            problems.append(f"JUNCTOR_OTHER_SITE is {self.other}, as JUNCTOR_SITE is; two sites have two names.")
        names = [place.partition("=")[0].strip() for place in self._places]
        if not {self._site, self.other} <= set(names):
            problems.append(
                f"JUNCTOR_VOTERS names {', '.join(names) or 'nobody'}; expected {self._site}=HOST:PORT, "
                f"{self.other}=HOST:PORT and, so that a lost site is taken over without a person, a witness."
            )
        if problems:
            raise SettingsError(problems)

    def _voters(self) -> Mapping[str, Voter]:
        try:
            return voters_at(self._places, self._service, self._channels.channel)
        except ValueError as error:
            raise SettingsError([f"JUNCTOR_VOTERS: {error}"]) from error

    async def _sit(self) -> None:
        voters = self._voters()
        while True:
            try:
                identity = await self._near.cluster_id()
                count = await self._near.partitions(topics.journal(self._service))
                if count:
                    break
            except LogUnavailable as error:
                log.info("the seat in the register waits for Kafka", extra={"reason": str(error)})
            await asyncio.sleep(_RETRY_SECONDS)
        first = sorted((self._site, self.other)).index(self._site)
        seat = Seat(
            self._site,
            identity,
            tuple(sorted(voters)),
            tuple(range(count)),
            preferred=frozenset(range(first, count, 2)),
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


def _far(settings: CommonSettings, service: str, brokers: Brokers) -> KafkaLog | None:
    """The other site's Kafka, reached as one's own is: with the same user, certificates and authority."""
    if not settings.other_kafka_bootstrap:
        return None
    addresses = ",".join(str(broker) for broker in settings.other_kafka_bootstrap)
    return KafkaLog(replace(brokers, addresses=addresses), client_id=f"{service}-{settings.site}-far")
