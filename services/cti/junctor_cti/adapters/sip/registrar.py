"""The registrar: where the phones of each address of record are (RFC 3261 10.3, RFC 3327 Path, RFC 5626 instances).

A binding keeps the source or flow that registered it, and that is where the phone is rung: a Contact behind NAT or on
a WebSocket cannot be reached otherwise. Bindings are reported, so that the decider can journal and restore them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass

from junctor_cti.adapters.sip import codec
from junctor_cti.adapters.sip.codec import Request, Response
from junctor_cti.adapters.sip.digest import Digest, Verdict
from junctor_cti.adapters.sip.peer import Peer, parse_peer
from junctor_cti.adapters.sip.settings import SipSettings
from junctor_cti.adapters.sip.transactions import Scheduler
from junctor_cti.application.ports.sip_events import Registered, Unregistered


@dataclass(frozen=True, slots=True)
class Binding:
    """One phone of an address of record. `expires_at` is Unix milliseconds; `path` the Route set to it."""

    aor: str
    contact: str
    peer: Peer
    expires_at: int
    path: tuple[str, ...] = ()
    user_agent: str = ""
    instance: str = ""
    call_id: str = ""
    cseq: int = 0


def encode_binding(binding: Binding) -> bytes:
    values = [getattr(binding, name) for name in Binding.__slots__]
    return json.dumps([str(v) if isinstance(v, Peer) else v for v in values], separators=(",", ":")).encode()


def decode_binding(data: bytes) -> Binding:
    """Raises `ValueError` for bytes that are no binding: trying again changes nothing."""
    try:
        aor, contact, peer, expires_at, path, *rest = json.loads(data)
        return Binding(str(aor), str(contact), parse_peer(peer), int(expires_at), tuple(path), *rest)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not a binding: {error}") from error


class Registrar:
    """`clock` gives Unix seconds. `emit` reports `Registered` and `Unregistered`, after the response was sent."""

    def __init__(
        self,
        settings: SipSettings,
        emit: Callable[[Registered | Unregistered], None],
        scheduler: Scheduler,
        clock: Callable[[], float],
    ) -> None:
        self._settings, self._emit, self._scheduler, self._clock = settings, emit, scheduler, clock
        self._bindings: dict[str, dict[str, Binding]] = {}
        self._by_contact: dict[str, Binding] = {}
        self._by_peer: dict[Peer, dict[str, Binding]] = {}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._digest = (
            Digest(
                settings.realm,
                settings.nonce_secret,
                settings.nonce_lifetime_s,
                settings.credential,
                clock,
                settings.digest_algorithms,
            )
            if settings.credential
            else None
        )

    def contacts(self, aor: str) -> list[Binding]:
        """Live bindings, the one refreshed last first."""
        now = self._clock() * 1000
        return [b for b in reversed(list(self._bindings.get(aor, {}).values())) if b.expires_at > now]

    def find(self, uri: str) -> Binding | None:
        """The newest binding of an address of record, or the one with exactly this Contact."""
        for binding in self.contacts(self.aor(uri)):
            return binding
        return self._by_contact.get(uri)

    def at(self, peer: Peer) -> str:
        """The address of record that registered from `peer`, empty for none."""
        for binding in self._by_peer.get(peer, {}).values():
            return binding.aor
        return ""

    def aor(self, uri: str) -> str:
        """sip:user@domain in lower case of the domain; an IP address as domain stands for the realm."""
        parsed = codec.bare_uri(uri)
        host = parsed.host.lower()
        try:
            ipaddress.ip_address(host.strip("[]"))
            host = self._settings.realm
        except ValueError:
            pass
        return f"sip:{parsed.user}@{host}"

    def register(self, request: Request, peer: Peer) -> tuple[Response, Callable[[], None]]:
        """The response of a REGISTER, and what to do once it is sent."""
        refused = self._refuse(request)
        if refused is not None:
            return refused, _nothing
        aor = self.aor(codec.address(request.headers.first("To")).uri)
        number, _ = codec.cseq(request.headers)
        call_id = request.headers.first("Call-ID")
        held = self._bindings.get(aor, {})
        if any(b.call_id == call_id and b.cseq >= number for b in held.values()):
            return codec.response_to(request, 500, "CSeq Out of Order", codec.new_tag()), _nothing
        contacts = request.headers.all("Contact")
        if contacts == ["*"]:
            if _seconds(request.headers.first("Expires")) != 0:
                return codec.response_to(request, 400, "Expires Must Be 0", codec.new_tag()), _nothing
            gone = list(held)
            return self._accepted(request, aor, {}), lambda: self._remove(aor, gone, "asked")
        added: list[Binding] = []
        removed: list[str] = []
        for value in contacts:
            parsed = codec.address(value)
            if not parsed.uri.lower().startswith(("sip:", "sips:")):
                return codec.response_to(request, 400, "Unusable Contact", codec.new_tag()), _nothing
            seconds = self._lifetime(request, parsed)
            if 0 < seconds < self._settings.registration_min_s:
                response = codec.response_to(request, 423, "", codec.new_tag())
                response.headers.set("Min-Expires", str(self._settings.registration_min_s))
                return response, _nothing
            if not seconds:
                removed.append(parsed.uri)
            else:
                added.append(self._binding(request, parsed, peer, aor, seconds, number))
        after = {u: b for u, b in held.items() if u not in removed}
        for binding in added:
            after.pop(binding.contact, None)
            after[binding.contact] = binding
        return self._accepted(request, aor, after), lambda: self._apply(aor, added, removed)

    def restore(self, binding: Binding) -> None:
        """Takes over a binding of another process; one that has expired is left out."""
        if binding.expires_at > self._clock() * 1000:
            self._put(binding)

    def lost(self, peer: Peer) -> None:
        """A connection is closed: who registered over it cannot be rung any more (RFC 5626 4.4)."""
        for binding in list(self._by_peer.get(peer, {}).values()):
            self._remove(binding.aor, [binding.contact], "connection")

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _refuse(self, request: Request) -> Response | None:
        if self._digest is None:
            return codec.response_to(request, 403, "Registration Is Not Offered", codec.new_tag())
        verdict, user = self._digest.check("REGISTER", request.headers.all("Authorization"))
        if verdict is Verdict.GOOD:
            if codec.address(request.headers.first("To")).user == user:
                return None
            return codec.response_to(request, 403, "Not Your Address", codec.new_tag())
        response = codec.response_to(request, 401, "", codec.new_tag())
        response.headers.add("WWW-Authenticate", *self._digest.challenges(verdict is Verdict.STALE))
        return response

    def _lifetime(self, request: Request, contact: codec.Address) -> int:
        asked = _seconds(contact.params.get("expires") or "")
        if asked is None:
            asked = _seconds(request.headers.first("Expires"))
        return self._settings.registration_max_s if asked is None else min(asked, self._settings.registration_max_s)

    def _binding(
        self, request: Request, contact: codec.Address, peer: Peer, aor: str, seconds: int, number: int
    ) -> Binding:
        headers = request.headers
        return Binding(
            aor=aor,
            contact=contact.uri,
            peer=peer,
            expires_at=int((self._clock() + seconds) * 1000),
            path=tuple(headers.all("Path")),
            user_agent=headers.first("User-Agent")[:200],
            instance=(contact.params.get("+sip.instance") or "").strip('"') + (contact.params.get("reg-id") or ""),
            call_id=headers.first("Call-ID"),
            cseq=number,
        )

    def _accepted(self, request: Request, aor: str, bound: dict[str, Binding]) -> Response:
        response = codec.response_to(request, 200, "", codec.new_tag())
        now = self._clock() * 1000
        for binding in list(bound.values())[-self._settings.registration_contacts :]:
            left = max(0, round((binding.expires_at - now) / 1000))
            response.headers.add("Contact", f"<{binding.contact}>;expires={left}")
        response.headers.add("Path", *request.headers.all("Path"))
        return response

    def _apply(self, aor: str, added: list[Binding], removed: list[str]) -> None:
        self._remove(aor, removed, "asked")
        for binding in added:
            held = self._bindings.get(aor, {})
            twins = [b.contact for b in held.values() if binding.instance and b.instance == binding.instance]
            self._remove(aor, [c for c in twins if c != binding.contact], "replaced")
            self._put(binding)
            held = self._bindings[aor]
            self._remove(aor, list(held)[: -self._settings.registration_contacts], "replaced")
            self._emit(
                Registered(
                    aor, binding.contact, binding.expires_at, binding.user_agent, binding=encode_binding(binding)
                )
            )

    def _put(self, binding: Binding) -> None:
        held = self._bindings.setdefault(binding.aor, {})
        self._unlink(held.pop(binding.contact, None))
        held[binding.contact] = binding
        self._by_contact[binding.contact] = binding
        self._by_peer.setdefault(binding.peer, {})[binding.contact] = binding
        key = (binding.aor, binding.contact)
        if key in self._timers:
            self._timers.pop(key).cancel()
        left = max(0.0, binding.expires_at / 1000 - self._clock())
        self._timers[key] = self._scheduler.call_later(left, self._remove, binding.aor, [binding.contact], "expired")

    def _remove(self, aor: str, contacts: list[str], why: str) -> None:
        held = self._bindings.get(aor, {})
        for contact in contacts:
            gone = held.pop(contact, None)
            if gone is None:
                continue
            self._unlink(gone)
            timer = self._timers.pop((aor, contact), None)
            if timer is not None:
                timer.cancel()
            self._emit(Unregistered(aor, contact, why))
        if not held:
            self._bindings.pop(aor, None)

    def _unlink(self, binding: Binding | None) -> None:
        if binding is None:
            return
        if self._by_contact.get(binding.contact) is binding:
            del self._by_contact[binding.contact]
        here = self._by_peer.get(binding.peer, {})
        here.pop(binding.contact, None)
        if not here:
            self._by_peer.pop(binding.peer, None)


def _seconds(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 else None


def _nothing() -> None:
    return None
