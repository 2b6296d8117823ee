"""What a voter keeps: for each partition who holds it and under which site epoch, and the sites' identities. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SealedAt:
    """Where `from_site` sealed its journal when it passed the lead on: the last entry's sequence and chain hash."""

    from_site: str
    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """The holder's word that it holds the partition no more. `to_site` may take it at once; empty: any but the holder."""

    to_site: str
    sealed_at: SealedAt | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """`holder` holds a partition under the site epoch `epoch`, as one voter has it.

    `renewed` counts the holder's renewals. `took_over`: where another site had sealed what this one continues.
    `appointed`: a person made it the holder, so that one voter is enough.
    """

    epoch: int
    holder: str
    renewed: int = 0
    release: Release | None = None
    took_over: SealedAt | None = None
    appointed: bool = False

    def names(self, epoch: int, site: str) -> bool:
        """Whether it says that `site` holds the partition under `epoch` and has not let go."""
        return self.epoch == epoch and self.holder == site and self.release is None


@dataclass(frozen=True, slots=True)
class Register:
    """One voter's object: holdings by partition, and each site's identity by its name."""

    partitions: Mapping[int, Holding] = field(default_factory=dict)
    sites: Mapping[str, str] = field(default_factory=dict)

    def with_partitions(self, changed: Mapping[int, Holding]) -> Register:
        """The same with other holdings for some partitions."""
        return Register({**self.partitions, **changed}, self.sites)

    def with_site(self, name: str, identity: str) -> Register:
        """The same with a site's identity."""
        return Register(self.partitions, {**self.sites, name: identity})


@dataclass(frozen=True, slots=True)
class Versioned:
    """An object and the version to name in the write that replaces it; "" where nothing was written yet."""

    version: str = ""
    value: Register = field(default_factory=Register)
