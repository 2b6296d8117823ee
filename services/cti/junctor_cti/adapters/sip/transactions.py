"""Transactions: retransmissions are absorbed and made here (RFC 3261 17, with RFC 6026's accepted state).

The key is (branch, sent-by, method), ACK counted as INVITE. A finished transaction keeps its last response as bytes
only, for 64 x T1 whatever its kind, so one deque expires them all in the order of their end. A client transaction's
key has no sent-by: the branch is ours.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

from junctor_cti.adapters.sip import codec
from junctor_cti.adapters.sip.codec import Request, Response
from junctor_cti.adapters.sip.peer import Peer

ServerKey = tuple[str, str, str]
ClientKey = tuple[str, str]


class Scheduler(Protocol):
    """The part of an event loop that timers need; tests give one in virtual time."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle: ...


class ServerTransaction:
    """One request received from `source`, answered to `peer`. `request` is gone once the final response is sent;
    `leg_id` is the user's note."""

    __slots__ = ("interval", "key", "last", "leg_id", "peer", "request", "source", "started", "status", "timer")

    def __init__(self, key: ServerKey, request: Request | None, peer: Peer, source: Peer) -> None:
        self.key, self.request, self.peer, self.source = key, request, peer, source
        self.last = b""
        self.status = 0
        self.leg_id = ""
        self.timer: asyncio.TimerHandle | None = None
        self.interval = self.started = 0.0


class ClientTransaction:
    """One request sent. `ack` is what each repeated final response of an INVITE is answered with."""

    __slots__ = ("ack", "data", "interval", "key", "on_response", "peer", "started", "status", "timer")

    def __init__(self, key: ClientKey, data: bytes, peer: Peer, on_response: OnResponse) -> None:
        self.key, self.data, self.peer, self.on_response = key, data, peer, on_response
        self.status = 0
        self.ack = b""
        self.timer: asyncio.TimerHandle | None = None
        self.interval = self.started = 0.0


OnResponse = Callable[[ClientTransaction, Response | None], None]


class TransactionUser(Protocol):
    """Who the transactions work for. A response of None (timer B or F) counts as 408 (RFC 3261 8.1.3.1)."""

    def on_request(self, transaction: ServerTransaction, request: Request) -> None: ...

    def on_cancel(self, transaction: ServerTransaction, invite: ServerTransaction, request: Request) -> None: ...

    def on_ack(self, request: Request) -> None: ...

    def on_stray(self, response: Response, peer: Peer) -> None:
        """A response without a transaction: after a take-over a repeated 2xx still needs its ACK."""

    def on_ack_timeout(self, transaction: ServerTransaction) -> None: ...


class Transactions:
    def __init__(
        self,
        user: TransactionUser,
        send: Callable[[bytes, Peer], None],
        scheduler: Scheduler,
        counters: Counter[str],
        t1: float = 0.5,
        t2: float = 4.0,
    ) -> None:
        self._user, self._send, self._scheduler, self._counters = user, send, scheduler, counters
        self.t1, self.t2, self.linger = t1, t2, 64 * t1
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.clients: dict[ClientKey, ClientTransaction] = {}
        self._server_ends: deque[tuple[float, ServerKey]] = deque()
        self._client_ends: deque[tuple[float, ClientKey]] = deque()

    # Requests received

    def receive_request(self, request: Request, peer: Peer) -> None:
        """Takes a valid request to its transaction, or makes one and gives it to the user."""
        key = codec.transaction_key(request)
        known = self.servers.get(key)
        if request.method == "ACK":
            self._receive_ack(known, request)
            return
        if known is not None:
            self._counters["absorbed"] += 1
            if peer.flow:
                known.peer = peer
            if known.last:
                self._send(known.last, known.peer)
            return
        self.expire()
        transaction = ServerTransaction(key, request, self.answer_peer(request, peer), peer)
        self.servers[key] = transaction
        if request.method != "CANCEL":
            self._user.on_request(transaction, request)
            return
        invite = self.servers.get((key[0], key[1], "INVITE"))
        if invite is None:
            self.respond(transaction, codec.response_to(request, 481, to_tag=codec.new_tag()))
        elif invite.status >= 200:
            self.respond(transaction, codec.response_to(request, 200, to_tag=codec.new_tag()))
        else:
            self._user.on_cancel(transaction, invite, request)

    @staticmethod
    def answer_peer(request: Request, peer: Peer) -> Peer:
        """Marks the request's Via as received from `peer`; where its responses go."""
        if peer.reliable:
            return peer
        codec.stamp_via(request, peer.host, peer.port)
        host, port = codec.reply_address(request, peer.host, peer.port)
        return Peer("udp", host, port)

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Sends a response; a final one is repeated for an INVITE until its ACK, for 64 x T1 at the longest."""
        if transaction.status >= 200:
            return
        transaction.last, transaction.status = bytes(response), response.status
        self._send(transaction.last, transaction.peer)
        if response.status < 200:
            return
        transaction.request = None
        now = self._scheduler.time()
        self._server_ends.append((now + self.linger, transaction.key))
        repeats = response.status < 300 or not transaction.peer.reliable
        if transaction.key[2] == "INVITE" and repeats:
            transaction.interval, transaction.started = self.t1, now
            transaction.timer = self._scheduler.call_later(self.t1, self._repeat_final, transaction)

    def forget(self, transaction: ServerTransaction) -> None:
        """A request that was not answered: its repeat is a new one."""
        del self.servers[transaction.key]

    def acknowledged(self, transaction: ServerTransaction) -> None:
        """Ends the repeating of a 2xx: its ACK came, or the dialog is over."""
        if transaction.timer is not None:
            transaction.timer.cancel()
            transaction.timer = None

    def restore_server(self, request: Request, peer: Peer, status: int, last: bytes, leg_id: str) -> ServerTransaction:
        """Rebuilds an INVITE server transaction that has sent `last` (may be empty) with `status` below 200."""
        transaction = ServerTransaction(codec.transaction_key(request), request, peer, peer)
        transaction.status, transaction.last, transaction.leg_id = status, last, leg_id
        self.servers[transaction.key] = transaction
        return transaction

    def _receive_ack(self, invite: ServerTransaction | None, request: Request) -> None:
        if invite is not None and invite.status >= 300:
            self.acknowledged(invite)
        else:
            self._user.on_ack(request)

    def _repeat_final(self, transaction: ServerTransaction) -> None:
        if self._scheduler.time() - transaction.started > self.linger - self.t1 / 2:
            transaction.timer = None
            if transaction.status < 300:
                self._user.on_ack_timeout(transaction)
            return
        self._counters["retransmitted"] += 1
        self._send(transaction.last, transaction.peer)
        transaction.interval = min(2 * transaction.interval, self.t2)
        transaction.timer = self._scheduler.call_later(transaction.interval, self._repeat_final, transaction)

    # Requests sent

    def request(self, data: bytes, peer: Peer, on_response: OnResponse) -> ClientTransaction:
        """Sends a request and repeats it on UDP until a response comes. `data` has a branch of ours."""
        transaction = self._client(data, peer, on_response)
        self._send(data, peer)
        self._schedule(transaction, self.t1 if not peer.reliable else self.linger)
        return transaction

    def restore_client(
        self, data: bytes, peer: Peer, on_response: OnResponse, *, ringing: bool, wait: float
    ) -> ClientTransaction:
        """Rebuilds the client transaction of an INVITE sent by another process: with `ringing` in Proceeding, where
        nothing is sent; else the same bytes go out after `wait` seconds, in which a repeated final may come."""
        transaction = self._client(data, peer, on_response)
        if ringing:
            transaction.status = 180
        else:
            transaction.timer = self._scheduler.call_later(wait, self._first, transaction)
        return transaction

    def fail(self, transaction: ClientTransaction, status: int = 503) -> None:
        """Ends a client transaction whose transport failed (RFC 3261 17.1.4)."""
        if transaction.status < 200:
            self._finish(transaction, status)
            transaction.on_response(transaction, None)

    def receive_response(self, response: Response, peer: Peer) -> None:
        branch, _ = codec.sent_by(response.headers.first("Via"))
        number, method = codec.cseq(response.headers)
        transaction = self.clients.get((branch, method))
        if transaction is None:
            self._user.on_stray(response, peer)
            return
        if transaction.status >= 200:
            self._counters["absorbed"] += 1
            if method == "INVITE" and transaction.status < 300 and 200 <= response.status < 300:
                transaction.on_response(transaction, response)
            elif transaction.ack:
                self._send(transaction.ack, transaction.peer)
            return
        if response.status < 200:
            transaction.status = response.status
        else:
            if method == "INVITE" and response.status >= 300:
                transaction.ack = _failure_ack(transaction.data, response, number)
                self._send(transaction.ack, transaction.peer)
            self._finish(transaction, response.status)
        transaction.on_response(transaction, response)

    @property
    def open_count(self) -> int:
        """Transactions without a final response."""
        pending = sum(t.status < 200 for t in self.clients.values())
        return pending + sum(t.status < 200 for t in self.servers.values())

    def expire(self) -> None:
        """Forgets what ended 64 x T1 ago; called with each new request."""
        now = self._scheduler.time()
        while self._server_ends and self._server_ends[0][0] <= now:
            self.servers.pop(self._server_ends.popleft()[1], None)
        while self._client_ends and self._client_ends[0][0] <= now:
            self.clients.pop(self._client_ends.popleft()[1], None)

    def close(self) -> None:
        timers = [*(t.timer for t in self.servers.values()), *(t.timer for t in self.clients.values())]
        for timer in timers:
            if timer is not None:
                timer.cancel()

    def _client(self, data: bytes, peer: Peer, on_response: OnResponse) -> ClientTransaction:
        self.expire()
        request = codec.parse(data)
        branch, _ = codec.sent_by(request.headers.first("Via"))
        transaction = ClientTransaction((branch, codec.cseq(request.headers)[1]), data, peer, on_response)
        transaction.interval, transaction.started = self.t1, self._scheduler.time()
        self.clients[transaction.key] = transaction
        return transaction

    def _first(self, transaction: ClientTransaction) -> None:
        transaction.timer = None
        if transaction.status < 100:
            transaction.started = self._scheduler.time()
            self._send(transaction.data, transaction.peer)
            self._schedule(transaction, self.t1 if not transaction.peer.reliable else self.linger)

    def _schedule(self, transaction: ClientTransaction, delay: float) -> None:
        if transaction.status < 200:
            transaction.timer = self._scheduler.call_later(delay, self._repeat_request, transaction)

    def _repeat_request(self, transaction: ClientTransaction) -> None:
        invite = transaction.key[1] == "INVITE"
        transaction.timer = None
        if transaction.status >= 200 or (invite and transaction.status >= 100):
            return
        if self._scheduler.time() - transaction.started > self.linger - self.t1 / 2:
            self._finish(transaction, 408)
            transaction.on_response(transaction, None)
            return
        if not transaction.peer.reliable:
            self._counters["retransmitted"] += 1
            self._send(transaction.data, transaction.peer)
        doubled = 2 * transaction.interval
        # Timer A doubles without a limit, timer E is capped by T2 and runs at T2 once a provisional came.
        transaction.interval = doubled if invite else min(doubled, self.t2)
        if not invite and transaction.status >= 100:
            transaction.interval = self.t2
        left = transaction.started + self.linger - self._scheduler.time()
        self._schedule(transaction, max(self.t1, min(transaction.interval, left)))

    def _finish(self, transaction: ClientTransaction, status: int) -> None:
        transaction.status = status
        transaction.data = b""
        if transaction.timer is not None:
            transaction.timer.cancel()
            transaction.timer = None
        self._client_ends.append((self._scheduler.time() + self.linger, transaction.key))


def _failure_ack(invite: bytes, response: Response, number: int) -> bytes:
    """The ACK of a non-2xx final: the INVITE's Via and Route, the response's To (RFC 3261 17.1.1.3)."""
    sent = codec.parse(invite)
    assert isinstance(sent, Request)
    ack = Request("ACK", sent.uri)
    ack.headers.set("Via", sent.headers.first("Via"))
    ack.headers.add("Route", *sent.headers.all("Route"))
    for name in ("From", "Call-ID", "Max-Forwards"):
        ack.headers.set(name, sent.headers.first(name))
    ack.headers.set("To", response.headers.first("To"))
    ack.headers.set("CSeq", f"{number} ACK")
    return bytes(ack)
