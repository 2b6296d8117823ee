"""What a person does where the voters cannot decide: `junctor site takeover` and `junctor site lead --force`.

Only after making sure that the other site is stopped: nothing here can know it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from junctor_register.holdings import Holding, Register, Versioned
from junctor_register.voter import Voter, VoterUnavailable

ROOM = 1000
"""Epochs left free below an appointment: for what the voters that cannot be reached may have granted meanwhile."""

_TRIES = 20


class NotAppointed(Exception):
    """The site's own voter did not take it: nothing has changed, or it cannot be known. A retry helps once it answers."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Appointment:
    """The epoch by partition, and the voters that have it."""

    epochs: Mapping[int, int]
    voters: tuple[str, ...]


async def appoint(
    voters: Mapping[str, Voter],
    own: str,
    site: str,
    sites: Iterable[str],
    floors: Mapping[int, int],
    *,
    limit: float = 5.0,
) -> Appointment:
    """Makes `site` the holder of the partitions in `floors` (with the highest epoch that a journal shows of each).

    `own` names the site's own voter, which must answer; the others are told where they answer within `limit` seconds, and
    later by the site itself. Epochs leave `ROOM`, and those of two sites differ even if both are appointed at once. Raises
    `NotAppointed`.
    """
    names = sorted(sites)
    found = dict(await _read_all(voters, limit))
    if own not in found:
        raise NotAppointed(f"The voter of site {site} itself does not answer.")
    epochs = {}
    for partition, floor in floors.items():
        holdings = [versioned.value.partitions.get(partition) for versioned in found.values()]
        highest = max([floor, *(holding.epoch for holding in holdings if holding is not None)])
        first = highest + ROOM
        epochs[partition] = first + (names.index(site) - first) % len(names)
    told = await asyncio.gather(*(_told(voters[name], site, epochs, found[name], limit) for name in found))
    reached = tuple(name for name, done in zip(found, told, strict=True) if done)
    if own not in reached:
        raise NotAppointed(f"The voter of site {site} itself did not take the appointment.")
    return Appointment(epochs, reached)


async def forget_site(voters: Mapping[str, Voter], site: str, *, limit: float = 5.0) -> tuple[str, ...]:
    """Takes a site's identity out of the voters, so that an installation with a new Kafka cluster may go by its name.

    Gives the names of the voters that did. A voter that did not keeps refusing the new installation.
    """

    def without(value: Register) -> Register:
        return Register(value.partitions, {name: known for name, known in value.sites.items() if name != site})

    done = []
    for name, versioned in await _read_all(voters, limit):
        now = versioned
        for _ in range(_TRIES):
            if site not in now.value.sites:
                done.append(name)
                break
            try:
                answer = await asyncio.wait_for(voters[name].write(without(now.value), now.version), limit)
            except (VoterUnavailable, TimeoutError):
                break
            now = answer.now
    return tuple(done)


async def read_all(voters: Mapping[str, Voter], *, limit: float = 1.0) -> Mapping[str, Register]:
    """The objects of the voters that answer within `limit` seconds, for people to look at."""
    return {name: versioned.value for name, versioned in await _read_all(voters, limit)}


async def _read_all(voters: Mapping[str, Voter], limit: float) -> list[tuple[str, Versioned]]:
    async def one(name: str) -> tuple[str, Versioned] | None:
        try:
            return name, await asyncio.wait_for(voters[name].read(), limit)
        except (VoterUnavailable, TimeoutError):
            return None

    return [answer for answer in await asyncio.gather(*map(one, sorted(voters))) if answer is not None]


async def _told(voter: Voter, site: str, epochs: Mapping[int, int], known: Versioned, limit: float) -> bool:
    for _ in range(_TRIES):
        changed = {
            partition: Holding(epoch, site, appointed=True)
            for partition, epoch in epochs.items()
            if (found := known.value.partitions.get(partition)) is None or found.epoch < epoch
        }
        if not changed:
            return True
        try:
            answer = await asyncio.wait_for(voter.write(known.value.with_partitions(changed), known.version), limit)
        except (VoterUnavailable, TimeoutError):
            return False
        if answer.written:
            return True
        known = answer.now
    return False
