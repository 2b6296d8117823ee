"""An agent's phone: where it is registered, kept so that no binding is lost with the process (RFC 3261 section 10)."""

from __future__ import annotations

from dataclasses import dataclass

STREAM = "device/"


@dataclass(frozen=True, slots=True)
class Binding:
    """`record` is what the edge's registrar takes back; `expires_at` is Unix milliseconds."""

    contact_uri: str
    expires_at: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """`reported` is what the router was last told: "", "idle" or "unregistered"; `changes` counts what it must be told."""

    tenant: str
    device: str
    bindings: tuple[Binding, ...] = ()
    state: str = ""
    changes: int = 0
    reported: int = 0


def registered(device: Device, binding: Binding) -> Device:
    """The device with this binding added or refreshed."""
    others = tuple(b for b in device.bindings if b.contact_uri != binding.contact_uri)
    return _moved(device, (*others, binding))


def unregistered(device: Device, contact_uri: str) -> Device:
    """The device without the binding."""
    return _moved(device, tuple(b for b in device.bindings if b.contact_uri != contact_uri))


def without_expired(device: Device, now: int) -> Device:
    """The device without the bindings whose time is over."""
    return _moved(device, tuple(b for b in device.bindings if b.expires_at > now))


def next_expiry(device: Device) -> int | None:
    return min((b.expires_at for b in device.bindings), default=None)


def _moved(device: Device, bindings: tuple[Binding, ...]) -> Device:
    state = "idle" if bindings else "unregistered"
    changes = device.changes + (state != device.state)
    return Device(device.tenant, device.device, bindings, state, changes, device.reported)
