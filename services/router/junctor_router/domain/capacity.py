"""How many contacts an agent takes at once, by channel, and which channel may come on top of which.

A contact takes its slot from the offer to the end of wrap-up. What may come on top of what is the interruption matrix:
for each channel that comes, which contacts in hand go on beside it and which are parked for it until it is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from junctor_router.domain.configuration import Interruption
from junctor_router.domain.values import CHANNELS, Channel, DeviceState

DEFAULTS: Mapping[Channel, int] = {
    Channel.VOICE: 1,
    Channel.VIDEO: 1,
    Channel.CHAT: 4,
    Channel.MAIL: 8,
    Channel.MESSAGE: 8,
}

INTERRUPTIONS = (
    Interruption(Channel.VOICE, beside=(Channel.MESSAGE,), parks=(Channel.MAIL,)),
    Interruption(Channel.VIDEO, beside=(Channel.MESSAGE,), parks=(Channel.MAIL,)),
    Interruption(Channel.CHAT, beside=(Channel.MAIL, Channel.MESSAGE)),
    Interruption(Channel.MAIL, beside=(Channel.MESSAGE,)),
    Interruption(Channel.MESSAGE, beside=(Channel.MAIL,)),
)
"""Where the directory says nothing: what need not be answered live yields to what must, and mail rests during a call.
Calls do not come during chats, whose customers wait for each answer; a tenant may let them."""

NEEDS_DEVICE = frozenset({Channel.VOICE, Channel.VIDEO})
BLOCKING = frozenset({DeviceState.BUSY, DeviceState.UNREGISTERED})


@dataclass(frozen=True, slots=True)
class Matrix:
    """By the number of the channel that comes: masks of the channels that may be in hand, and of those it parks."""

    allows: tuple[int, ...]
    parks: tuple[int, ...]

    def changed(self, interruptions: Iterable[Interruption]) -> Matrix:
        """With these channels' rules instead. A channel that is in both lists is parked.

        No two channels yield to each other, over others neither: two contacts would take an agent from one another for ever.
        What is parked by a rule does not come any more on top of the rule's channel; of rules against each other the last
        holds.
        """
        allows, parks = list(self.allows), list(self.parks)
        for one in interruptions:
            own = 1 << one.channel
            parks[one.channel] = mask_of(one.parks) & ~own
            allows[one.channel] = mask_of(one.beside) | parks[one.channel] | own
            yielding = _reached(parks, parks[one.channel])
            for channel in CHANNELS:
                if yielding >> channel & 1 and parks[channel] & own:
                    parks[channel] &= ~own
                    allows[channel] &= ~own
        return Matrix(tuple(allows), tuple(parks))


def mask_of(channels: Iterable[Channel]) -> int:
    """The bits of the channels' numbers."""
    found = 0
    for channel in channels:
        found |= 1 << channel
    return found


def _reached(parks: list[int], channels: int) -> int:
    """These channels, what they park, what that parks, and so on."""
    found, before = channels, -1
    while found != before:
        before = found
        for channel in CHANNELS:
            if found >> channel & 1:
                found |= parks[channel]
    return found


MATRIX = Matrix((0,) * len(Channel), (0,) * len(Channel)).changed(INTERRUPTIONS)

BLOCKED = mask_of(NEEDS_DEVICE)
"""What is closed while the device is BLOCKING."""


@lru_cache(maxsize=4_096)
def of(
    configured: tuple[tuple[Channel, int], ...], allowed: tuple[Channel, ...], device: bool
) -> tuple[Mapping[Channel, int], int]:
    """Slots by channel, shared by all agents of the same, and the channels of which there are some, as a mask. The
    directory's or the default; 0 where the session leaves the channel out or no phone is known."""
    given = dict(configured)
    found: dict[Channel, int] = {}
    for channel in CHANNELS:
        slots = given.get(channel, DEFAULTS[channel])
        if (allowed and channel not in allowed) or (channel in NEEDS_DEVICE and not device):
            slots = 0
        found[channel] = slots
    return found, mask_of(channel for channel, slots in found.items() if slots > 0)


def open_channels(
    slots: Mapping[Channel, int], load: Mapping[Channel, int], device: DeviceState, matrix: Matrix
) -> int:
    """The channels of which one more contact may be offered now, as a mask with the bits of the channels' numbers."""
    mask = 0
    busy = in_hand(load)
    for channel in CHANNELS:
        if load.get(channel, 0) >= slots.get(channel, 0):
            continue
        if channel in NEEDS_DEVICE and device in BLOCKING:
            continue
        if not busy & ~matrix.allows[channel]:
            mask |= 1 << channel
    return mask


def in_hand(load: Mapping[Channel, int]) -> int:
    """The channels of which there is a contact, as a mask."""
    busy = 0
    for channel, count in load.items():
        if count:
            busy |= 1 << channel
    return busy
