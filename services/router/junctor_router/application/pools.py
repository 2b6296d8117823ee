"""One journal partition's state: the pools in it, each a stream of the journal."""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec
from google.protobuf.message import Message
from junctor.journal.v1 import journal_pb2
from junctor.router.v1 import router_pb2
from junctor_journal.apply import Applied, Due
from junctor_journal.errors import UnknownMessage
from junctor_journal.timers import Timers
from junctor_service.errors import Code, ServiceError

from junctor_router.application.apply_times import ApplyTimes
from junctor_router.application.cel import parse
from junctor_router.application.messages import command_of, event_message, reissued_of, response_message
from junctor_router.domain.events import ReservationReissued
from junctor_router.domain.pool import Pool
from junctor_router.domain.state_codec import RowCodec
from junctor_router.domain.values import Refused

ROWS = RowCodec(msgspec.json.Encoder().encode, msgspec.json.Decoder().decode)
"""Several times faster than the standard library's."""

log = logging.getLogger(__name__)


class PoolsFold:
    """The journal's fold. Stream = pool; an input for a pool without configuration is refused and leaves no trace.

    `times` is told how long each apply took; nothing is decided by it."""

    def __init__(self, times: ApplyTimes | None = None) -> None:
        self._times = times
        self._pools: dict[str, dict[str, Pool]] = {}
        self._timers = Timers()
        self._site_epoch = 1

    def apply(self, input: journal_pb2.Input, body: Message, now: int) -> Applied:
        """An error in the core is recorded as an INTERNAL refusal: it is the same in every replay, and the partition
        goes on. Raises `UnknownMessage` for a body that is no command, before anything changes."""
        command = command_of(body)
        if command is None:
            raise UnknownMessage(f"{body.DESCRIPTOR.full_name} is no command of the router")
        tenant, name = input.tenant, input.stream
        pool = self.pool(tenant, name)
        kept = pool is not None or isinstance(body, router_pb2.ConfigurationChanged)
        if pool is None:
            pool = Pool(tenant, name, parse, ROWS)
            pool.state.site_epoch = self._site_epoch
            if kept:
                self._pools.setdefault(tenant, {})[name] = pool
        began = time.perf_counter_ns()
        try:
            outcome = pool.apply(command, now)
        except Exception as error:
            log.exception("the core failed", extra={"input_id": input.id, "command": type(command).__name__})
            message = f"The router failed ({type(error).__name__}); the input was not applied as a whole."
            return Applied(refusal=ServiceError(Code.INTERNAL, message, reason="CORE_FAILED").to_status())
        finally:
            if kept:
                pool.catch_up()
                self._timers.set((tenant, name), pool.next_due())
            if self._times is not None:
                self._times.took(time.perf_counter_ns() - began)
        if outcome.refusal is not None:
            return Applied(refusal=_status(outcome.refusal))
        response = None if outcome.response is None else response_message(outcome.response)
        return Applied(response, None, [event_message(event) for event in outcome.events])

    def reissue(self, site_epoch: int, now: int) -> list[Message]:
        """Every pending reservation under a new id, where that site epoch begins. Changes nothing."""
        return [event_message(one) for pool in self.everywhere() for one in pool.reissued(site_epoch, now)]

    def begin(self, site_epoch: int, now: int, reissued: Iterable[Message]) -> None:
        issued: dict[tuple[str, str], list[ReservationReissued]] = {}
        for message in reissued:
            one = reissued_of(cast(router_pb2.ReservationReissued, message))
            issued.setdefault((one.tenant, one.pool), []).append(one)
        for tenant, name, pool in self._all():
            pool.begin(site_epoch, now, issued.get((tenant, name), ()))
            self._timers.set((tenant, name), pool.next_due())
        self._site_epoch = site_epoch

    def next_due(self) -> Due | None:
        first = self._timers.first()
        return None if first is None else Due(first[0], *first[1])

    def dump(self) -> Iterator[bytes]:
        pieces: list[tuple[str, str, Iterable[bytes]]] = [(t, name, pool.dump()) for t, name, pool in self._all()]
        return _headed([*pieces, ("", "", [str(self._site_epoch).encode()])])

    def load(self, chunks: Iterable[bytes]) -> None:
        """Without the cyclic collector, which would look at every agent again and again: a third of the time. What is
        loaded stays, so it is left out of later collections."""
        gc.disable()
        try:
            self._load(chunks)
        finally:
            gc.enable()
            gc.freeze()

    def _load(self, chunks: Iterable[bytes]) -> None:
        grouped: dict[tuple[str, str], list[bytes]] = {}
        for chunk in chunks:
            head, _, rows = chunk.partition(b"\n")
            tenant, name = json.loads(head)
            grouped.setdefault((tenant, name), []).append(rows)
        self._pools, self._timers = {}, Timers()
        self._site_epoch = int(grouped.pop(("", ""), [b"1"])[0])
        for (tenant, name), pieces in grouped.items():
            pool = Pool(tenant, name, parse, ROWS)
            pool.load(pieces)
            self._pools.setdefault(tenant, {})[name] = pool
            self._timers.set((tenant, name), pool.next_due())

    def hash(self) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for tenant, name, pool in self._all():
            digest.update(json.dumps([tenant, name]).encode() + pool.hash())
        return digest.digest()

    def pool(self, tenant: str, name: str) -> Pool | None:
        """For reading; None where it has no configuration (yet)."""
        return self._pools.get(tenant, {}).get(name)

    def of_tenant(self, tenant: str) -> list[Pool]:
        """By name."""
        return [pool for _, pool in sorted(self._pools.get(tenant, {}).items())]

    def everywhere(self) -> list[Pool]:
        """Of all tenants, by tenant and name."""
        return [pool for _, _, pool in self._all()]

    def _all(self) -> list[tuple[str, str, Pool]]:
        return [
            (tenant, name, pool)
            for tenant, pools in sorted(self._pools.items())
            for name, pool in sorted(pools.items())
        ]


def _headed(pieces: list[tuple[str, str, Iterable[bytes]]]) -> Iterator[bytes]:
    for tenant, name, rows in pieces:
        head = json.dumps([tenant, name]).encode() + b"\n"
        for piece in rows:
            yield head + piece


def _status(refused: Refused) -> Any:
    return ServiceError(Code[refused.code.upper()], refused.message, reason=refused.reason).to_status()
