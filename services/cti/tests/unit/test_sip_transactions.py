"""Transactions in virtual time: what is repeated when, what is absorbed, and what is forgotten."""

import heapq
import itertools
from collections import Counter

import pytest
from junctor_cti.adapters.sip import codec
from junctor_cti.adapters.sip.peer import Peer
from junctor_cti.adapters.sip.transactions import Transactions

UDP = Peer("udp", "10.0.0.9", 5060)
TCP = Peer("tcp", "10.0.0.9", 5060, 7)


class Handle:
    canceled = False

    def cancel(self) -> None:
        self.canceled = True


class VirtualTime:
    """An event loop's clock that moves only when told to."""

    def __init__(self) -> None:
        self.now, self._heap, self._count = 0.0, [], itertools.count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay, callback, *args):
        handle = Handle()
        heapq.heappush(self._heap, (self.now + delay, next(self._count), handle, callback, args))
        return handle

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._heap and self._heap[0][0] <= until:
            self.now, _, handle, callback, args = heapq.heappop(self._heap)
            if not handle.canceled:
                callback(*args)
        self.now = until


class User:
    def __init__(self) -> None:
        self.requests, self.cancels, self.acks, self.strays, self.timeouts = [], [], [], [], []

    def on_request(self, transaction, request):
        self.requests.append(transaction)

    def on_cancel(self, transaction, invite, request):
        self.cancels.append((transaction, invite))

    def on_ack(self, request):
        self.acks.append(request)

    def on_stray(self, response, peer):
        self.strays.append(response)

    def on_ack_timeout(self, transaction):
        self.timeouts.append(transaction)


class Bench:
    def __init__(self) -> None:
        self.time, self.user, self.sent, self.counters = VirtualTime(), User(), [], Counter()
        self.layer = Transactions(self.user, self._send, self.time, self.counters)
        self.responses = []

    def _send(self, data, peer):
        self.sent.append((round(self.time.now, 2), data, peer))

    def receive(self, method="INVITE", branch="z9hG4bK1", peer=UDP, sent_by="10.0.0.9:5060"):
        message = request(method, branch, sent_by)
        self.layer.receive_request(message, peer)
        return message

    def request(self, method="INVITE", peer=UDP):
        data = bytes(request(method, "z9hG4bKours", "us:5060"))
        return self.layer.request(data, peer, lambda t, r: self.responses.append((self.time.now, t.status, r)))

    def respond(self, status, method="INVITE", tag="x"):
        sent = request(method, "z9hG4bKours", "us:5060")
        self.layer.receive_response(codec.response_to(sent, status, to_tag=tag), UDP)

    @property
    def times(self):
        return [at for at, _, _ in self.sent]


def request(method, branch, sent_by):
    message = codec.Request(method, "sip:100@us")
    for name, value in (
        ("Via", f"SIP/2.0/UDP {sent_by};branch={branch}"),
        ("From", "<sip:a@b>;tag=f"),
        ("To", "<sip:100@us>"),
        ("Call-ID", "c"),
        ("CSeq", f"1 {method}"),
        ("Max-Forwards", "70"),
    ):
        message.headers.set(name, value)
    return message


@pytest.fixture
def bench():
    return Bench()


def answer(bench, status):
    transaction = bench.user.requests[-1]
    bench.layer.respond(transaction, codec.response_to(transaction.request, status, to_tag="t"))
    return transaction


def test_a_repeated_request_reaches_the_user_once_and_gets_the_last_response(bench):
    bench.receive()
    bench.receive()
    assert bench.sent == []
    answer(bench, 180)
    bench.receive()
    assert len(bench.user.requests) == 1
    assert bench.sent[0][1] == bench.sent[1][1]
    assert bench.counters["absorbed"] == 2


def test_the_same_branch_from_another_sender_is_another_request(bench):
    bench.receive(sent_by="10.0.0.9:5060")
    bench.receive(sent_by="10.0.0.8:5060")
    assert len(bench.user.requests) == 2


def test_a_2xx_is_repeated_from_t1_up_to_t2_until_its_ack(bench):
    bench.receive()
    transaction = answer(bench, 200)
    bench.time.run(8)
    assert bench.times == [0, 0.5, 1.5, 3.5, 7.5]
    bench.receive("ACK", branch="z9hG4bKanother")
    assert len(bench.user.acks) == 1
    bench.layer.acknowledged(transaction)
    bench.time.run(60)
    assert len(bench.sent) == 5
    assert bench.user.timeouts == []


def test_a_2xx_without_an_ack_is_reported_after_32_seconds(bench):
    bench.receive(peer=TCP)
    transaction = answer(bench, 200)
    bench.time.run(31)
    assert bench.user.timeouts == []
    bench.time.run(5)
    assert bench.user.timeouts == [transaction]


def test_a_refusal_is_repeated_on_udp_until_its_ack_and_not_on_a_stream(bench):
    bench.receive()
    answer(bench, 486)
    bench.time.run(2)
    bench.receive("ACK")
    bench.time.run(40)
    assert bench.times == [0, 0.5, 1.5]
    assert bench.user.acks == []
    bench.receive(branch="z9hG4bK2", peer=TCP)
    answer(bench, 486)
    bench.time.run(40)
    assert len(bench.sent) == 4


def test_a_finished_request_is_dropped_at_once_and_its_bytes_after_32_seconds(bench):
    bench.receive("BYE")
    transaction = answer(bench, 200)
    assert transaction.request is None
    bench.time.run(31)
    bench.receive("BYE")
    assert len(bench.sent) == 2
    bench.time.run(1.5)
    bench.layer.expire()
    assert bench.layer.servers == {}


def test_a_cancel_finds_its_invite_and_is_refused_without_one(bench):
    bench.receive("CANCEL", branch="z9hG4bKnone")
    assert b" 481 " in bench.sent[-1][1]
    bench.receive()
    bench.receive("CANCEL")
    assert bench.user.cancels[0][1] is bench.user.requests[0]


def test_a_cancel_after_the_final_response_changes_nothing(bench):
    bench.receive()
    answer(bench, 200)
    bench.receive("CANCEL")
    assert bench.user.cancels == []
    assert b" 200 " in bench.sent[-1][1]


def test_an_invite_is_repeated_with_doubled_waits_until_a_provisional(bench):
    bench.request()
    bench.time.run(4)
    assert bench.times == [0, 0.5, 1.5, 3.5]
    bench.respond(100)
    bench.time.run(200)
    assert len(bench.sent) == 4
    assert [status for _, status, _ in bench.responses] == [100]


def test_an_invite_that_nobody_answers_ends_with_408_after_32_seconds(bench):
    transaction = bench.request()
    bench.time.run(40)
    [(at, status, response)] = bench.responses
    assert (status, response, transaction.status) == (408, None, 408)
    assert 31 < at < 34
    assert len(bench.sent) == 7


def test_a_bye_is_repeated_at_t2_at_the_latest_even_after_a_provisional(bench):
    bench.request("BYE")
    bench.time.run(2)
    bench.respond(100, "BYE")
    bench.time.run(40)
    assert bench.times[:5] == [0, 0.5, 1.5, 3.5, 7.5]
    assert [status for _, status, _ in bench.responses] == [100, 408]


def test_nothing_is_repeated_on_a_stream_but_it_times_out(bench):
    bench.request("BYE", TCP)
    bench.time.run(40)
    assert bench.times == [0]
    assert bench.responses[0][1] == 408


def test_a_refused_invite_gets_an_ack_each_time(bench):
    bench.request()
    bench.respond(486)
    bench.respond(486)
    acks = [data for _, data, _ in bench.sent[1:]]
    assert len(acks) == 2
    assert acks[0] == acks[1]
    assert acks[0].startswith(b"ACK sip:100@us ")
    assert b"branch=z9hG4bKours" in acks[0]
    assert b"To: <sip:100@us>;tag=x" in acks[0]
    assert len(bench.responses) == 1


def test_each_2xx_of_an_invite_reaches_the_user_and_late_provisionals_do_not(bench):
    bench.request()
    for status in (200, 180, 200):
        bench.respond(status)
    assert [status for _, status, _ in bench.responses] == [200, 200]


def test_a_repeated_2xx_of_another_request_is_absorbed(bench):
    bench.request("BYE")
    bench.respond(200, "BYE")
    bench.respond(200, "BYE")
    assert len(bench.responses) == 1


def test_a_response_to_nothing_is_stray(bench):
    bench.respond(200)
    assert len(bench.user.strays) == 1


def test_a_restored_invite_waits_before_it_is_sent_and_not_at_all_once_it_rang(bench):
    data = bytes(request("INVITE", "z9hG4bKours", "us:5060"))
    bench.layer.restore_client(data, UDP, lambda t, r: None, ringing=True, wait=0.6)
    bench.time.run(60)
    assert bench.sent == []
    other = Bench()
    other.layer.restore_client(data, UDP, lambda t, r: None, ringing=False, wait=0.6)
    other.time.run(1.2)
    assert [entry[:2] for entry in other.sent] == [(0.6, data), (1.1, data)]


def test_a_restored_invite_is_not_sent_when_the_answer_comes_first(bench):
    data = bytes(request("INVITE", "z9hG4bKours", "us:5060"))
    bench.layer.restore_client(data, UDP, lambda t, r: bench.responses.append(r), ringing=False, wait=0.6)
    bench.respond(200)
    bench.time.run(5)
    assert bench.sent == []
    assert len(bench.responses) == 1
