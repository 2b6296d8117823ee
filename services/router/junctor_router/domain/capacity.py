"""How many contacts an agent takes at once, by channel, and which channel may come on top of which.

A contact takes its slot from the offer to the end of wrap-up.
"""

from __future__ import annotations

from collections.abc import Mapping

from junctor_router.domain.values import CHANNELS, Channel, DeviceState

DEFAULTS: Mapping[Channel, int] = {
    Channel.VOICE: 1,
    Channel.VIDEO: 1,
    Channel.CHAT: 4,
    Channel.MAIL: 8,
    Channel.MESSAGE: 8,
}

INTERRUPTS: Mapping[Channel, frozenset[Channel]] = {
    Channel.VOICE: frozenset({Channel.MAIL, Channel.MESSAGE}),
    Channel.VIDEO: frozenset({Channel.MAIL, Channel.MESSAGE}),
    Channel.CHAT: frozenset({Channel.MAIL, Channel.MESSAGE}),
    Channel.MAIL: frozenset({Channel.MESSAGE}),
    Channel.MESSAGE: frozenset({Channel.MAIL}),
}
"""Channel to the other channels whose work it may come on top of: what need not be answered live yields to what must."""

NEEDS_DEVICE = frozenset({Channel.VOICE, Channel.VIDEO})
_BLOCKING = frozenset({DeviceState.BUSY, DeviceState.UNREGISTERED})


def of(configured: Mapping[Channel, int], allowed: tuple[Channel, ...], device: str) -> dict[Channel, int]:
    """Slots by channel: the directory's or the default; 0 where the session leaves the channel out or no phone is known."""
    found: dict[Channel, int] = {}
    for channel in CHANNELS:
        slots = configured.get(channel, DEFAULTS[channel])
        if (allowed and channel not in allowed) or (channel in NEEDS_DEVICE and not device):
            slots = 0
        found[channel] = slots
    return found


def open_channels(slots: Mapping[Channel, int], load: Mapping[Channel, int], device: DeviceState) -> int:
    """The channels of which one more contact may be offered now, as a mask with the bits of the channels' numbers."""
    mask = 0
    busy = [channel for channel, count in load.items() if count]
    for channel in CHANNELS:
        if load.get(channel, 0) >= slots.get(channel, 0):
            continue
        if channel in NEEDS_DEVICE and device in _BLOCKING:
            continue
        interrupts = INTERRUPTS[channel]
        if all(other == channel or other in interrupts for other in busy):
            mask |= 1 << channel
    return mask
