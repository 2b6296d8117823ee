"""Two whole sites on this machine, the mirrors between them, a voter in each, and the witness in a third place.

What goes from one place to another goes by addresses that a `Network` gives: a test puts a link between them that it can cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from junctor_local import memory
from junctor_local.site import Site
from junctor_local.site_of_two import MIRROR, site_of_two, voter
from junctor_local.site_ports import SERVICES, SitePorts
from junctor_local.two_sites_plan import NAMES, WITNESS, Network, Straight, free_plan, share_issuer

__all__ = ["NAMES", "WITNESS", "Network", "TwoSites"]

_READY_LIMIT = 300.0


class TwoSites:
    """Both under one folder, `a` and `b`, with one token issuer's key in two places; all processes are children of this one.

    async with TwoSites(tmp_path) as sites:
        sites["a"].address("router")
    """

    def __init__(
        self,
        directory: Path,
        *,
        services: Sequence[str] = SERVICES,
        without: Sequence[str] = (),
        network: Network | None = None,
        preferred: Mapping[str, Sequence[int]] | None = None,
        settings: Mapping[str, str] | None = None,
        reach_far_kafka: bool = True,
        processes: bool = True,
        ports: Mapping[str, SitePorts] | None = None,
    ) -> None:
        """`without`: parts of a site that are not started. For the others see `site_of_two` and `Site`."""
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._network = network or Straight()
        self._plan = free_plan(ports)
        share_issuer(self.directory)
        self.witness = voter(self.directory, WITNESS, self._plan)
        self._sites = {
            name: site_of_two(
                self.directory,
                name,
                self._plan,
                network=self._network,
                preferred=preferred,
                settings=settings,
                reach_far_kafka=reach_far_kafka,
                processes=processes,
                services=services,
                without=without,
            )
            for name in NAMES
        }

    def __getitem__(self, name: str) -> Site:
        return self._sites[name]

    def voters(self, seen_from: str) -> dict[str, str]:
        """The voters' addresses by name, as a place reaches them; "" is a place that nothing lies between."""
        return self._plan.voters(seen_from, self._network)

    async def start(self) -> None:
        """Starts everything; returns when each component is ready and both mirrors copy. Raises as `Site.start`, and
        `TimeoutError` where a mirror does not copy."""
        try:
            await self.witness.up()
            await asyncio.gather(*(site.start() for site in self._sites.values()))
            await asyncio.gather(*(site.healthy(MIRROR, _READY_LIMIT) for site in self._sites.values()))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Nothing is left running."""
        await asyncio.gather(*(site.stop() for site in self._sites.values()))
        await self.witness.down()

    async def kill(self, name: str) -> None:
        """SIGKILL to every process of a site at once, as where its power fails; the witness is none of them."""
        await self._sites[name].crash()

    async def restart(self, name: str) -> None:
        """Starts a killed site again on what its disks have."""
        await self._sites[name].start()
        await self._sites[name].healthy(MIRROR, _READY_LIMIT)

    def pss_bytes(self) -> dict[str, int]:
        """Memory by `site/component`, in bytes, shared pages counted in proportion."""
        found = {
            f"{name}/{part}": size for name, site in self._sites.items() for part, size in site.pss_bytes().items()
        }
        del found["b/supervisor"]  # One process is the parent of both.
        if self.witness.child.pid:
            found[WITNESS] = memory.pss_bytes(self.witness.child.pid)
        return found

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
