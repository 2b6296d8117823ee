"""Which reservation each phone of this edge is rung or taken for: one at most, whoever asks (rule E3 of two sites).

Found from the journal after each entry and at a take-over. Between the look and the journal's answer a claim is held in
memory, which is enough: an INVITE is sent only after its leg is in the journal, and one process serves the slot.
"""

from __future__ import annotations

from dataclasses import dataclass

from junctor_cti.domain.decide import Line


@dataclass(frozen=True, slots=True)
class Held:
    """`stream`: the call or the relay that has the phone. `talking`: it answered."""

    stream: str
    reservation_id: str
    talking: bool = False


class DeviceSlots:
    """Phones by tenant and SIP user."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Held] = {}
        self._devices: dict[str, tuple[str, str]] = {}

    def take(self, tenant: str, device: str, stream: str, reservation_id: str) -> Held | None:
        """None where the phone is now the stream's; else who has it."""
        before = self._held.get((tenant, device))
        if before is not None and before.stream != stream:
            return before
        self._hold(tenant, device, Held(stream, reservation_id, before is not None and before.talking))
        return None

    def see(self, stream: str, line: Line | None) -> None:
        """The stream as the journal has it now; None where it is over."""
        found = None if line is None else _of(line)
        if found is not None:
            tenant, device, held = found
            self._hold(tenant, device, held)
        elif not _may_claim(line):
            self._let_go(stream)

    def held(self) -> list[tuple[str, Held]]:
        """All that are rung or taken, with their tenants, by tenant and phone."""
        return [(tenant, one) for (tenant, _), one in sorted(self._held.items())]

    def reservations(self) -> frozenset[str]:
        """For which phones are rung or taken."""
        return frozenset(one.reservation_id for one in self._held.values())

    def _hold(self, tenant: str, device: str, held: Held) -> None:
        key = (tenant, device)
        if self._devices.get(held.stream, key) != key:
            self._let_go(held.stream)
        if (other := self._held.get(key)) is None or other.stream == held.stream:
            self._held[key] = held
            self._devices[held.stream] = key

    def _let_go(self, stream: str) -> None:
        key = self._devices.pop(stream, None)
        if key is not None:
            del self._held[key]


def _of(line: Line) -> tuple[str, str, Held] | None:
    if (relay := line.relay) is not None and relay.phone is not None:
        held = Held(relay.stream, relay.reservation_id, relay.phone.phase != "prepared")
        return relay.tenant, relay.device, held
    if (call := line.call) is not None and call.agent is not None and call.offer is not None and not call.offer.site:
        held = Held(call.contact_id, call.offer.reservation_id, call.agent.phase != "prepared")
        return call.tenant, call.offer.device, held
    return None


def _may_claim(line: Line | None) -> bool:
    """Whether a claim may be on its way to the journal."""
    if line is None:
        return False
    if line.relay is not None:
        return line.relay.wanted
    return line.call is not None and line.call.state == "offered"
