"""Chats over real WebSockets, Kafka and processes: from the greeting to the wrap-up, and bad frames in between."""

import asyncio
import json

import pytest
from junctor.contact.v1 import contact_pb2
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.router.v1 import router_pb2
from junctor_journal import topics
from junctor_journal.log import TopicPartition
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.asyncio(loop_scope="module")


def said(customer, author):
    return [message.text for message in customer.messages if message.author == author]


async def test_a_chat_from_the_greeting_to_the_wrap_up(shared):
    process = shared.first
    async with shared.customer(process, visitor="visitor-7") as customer, shared.agent(process) as agent:
        assert (await customer.hears("bot")).text == "Hello!"
        await customer.say("I need a loan")
        await shared.binds(customer)
        (request,) = shared.asked(shared.router.requested, customer)
        assert (request.queue, request.edge, request.channel) == ("chat", "omnichannel/a", contact_pb2.CHANNEL_CHAT)
        assert dict(request.data) == {"language": "en", "product": "loans"}
        assert request.arrived_at > 0

        stream = agent.WatchConversation(pb.WatchConversationRequest(contact_id=customer.contact_id, after_number=1))
        sent = await rpc(
            agent.SendMessage(
                pb.SendMessageRequest(request_id="s1", contact_id=customer.contact_id, text="How much is it?")
            )
        )
        assert (await customer.hears("agent")).seq == sent.number
        again = await rpc(
            agent.SendMessage(
                pb.SendMessageRequest(request_id="s1", contact_id=customer.contact_id, text="How much is it?")
            )
        )
        assert again.number == sent.number
        await customer.say("A thousand")
        watched = []
        async with asyncio.timeout(10):
            while "A thousand" not in watched:
                watched.append((await stream.read()).message.text)
        assert next(text for text in watched if text) == "I need a loan"
        stream.cancel()

        found = (
            await rpc(agent.GetConversation(pb.GetConversationRequest(contact_id=customer.contact_id)))
        ).conversation
        assert [message.text for message in found.messages] == [message.text for message in customer.messages]
        await customer.close()
        await shared.router_says(
            router_pb2.TaskCompleted(
                contact_id=customer.contact_id, agent_id="alice", disposition="solved", edge="omnichannel/a"
            )
        )
        events = await shared.events(customer.contact_id, contact_pb2.ContactClosed)
        assert [request.cause for request in shared.asked(shared.router.ended, customer)] == ["customer"]
    segments = [(e.segment, e.kind, e.result) for e in events if isinstance(e, contact_pb2.SegmentEnded)]
    assert segments == [
        (1, contact_pb2.SEGMENT_KIND_FLOW, contact_pb2.SEGMENT_RESULT_COMPLETED),
        (2, contact_pb2.SEGMENT_KIND_QUEUE, contact_pb2.SEGMENT_RESULT_COMPLETED),
        (3, contact_pb2.SEGMENT_KIND_AGENT, contact_pb2.SEGMENT_RESULT_COMPLETED),
    ]
    closed = events[-1] if isinstance(events[-1], contact_pb2.ContactClosed) else None
    closed = closed or next(e for e in events if isinstance(e, contact_pb2.ContactClosed))
    assert (closed.disposition, closed.cause) == ("solved", contact_pb2.CLOSE_CAUSE_CUSTOMER)
    await nothing_readable(shared, "thousand", "visitor-7", "How much")


async def nothing_readable(site, *secrets):
    """What people wrote is sealed wherever it lies on Kafka."""
    for topic in (topics.inputs("omnichannel"), topics.journal("omnichannel"), topics.events("omnichannel")):
        partitions = [TopicPartition(topic, number) for number in range(await site.log.partitions(topic))]
        begin, end = await site.log.begin_offsets(partitions), await site.log.end_offsets(partitions)
        tail = await site.log.tail(begin)
        values = b""
        while any([await tail.position(tp) < end[tp] for tp in partitions]):
            for records in (await tail.getmany(timeout_ms=200)).values():
                values += b"".join(record.value or b"" for record in records)
        await tail.close()
        assert values and not [secret for secret in secrets if secret.encode() in values], topic


async def test_a_customer_who_leaves_the_line_is_taken_out_of_it(shared):
    process = shared.first
    async with shared.customer(process) as customer:
        await customer.hears("bot")
        await customer.say("loan")
        await shared.until(lambda: shared.asked(shared.router.requested, customer))
        await customer.close()
        events = await shared.events(customer.contact_id, contact_pb2.ContactClosed)
        await shared.until(lambda: shared.asked(shared.router.canceled, customer))
    assert [request.cause for request in shared.asked(shared.router.canceled, customer)] == ["abandoned"]
    (last,) = [e for e in events if isinstance(e, contact_pb2.SegmentEnded)][-1:]
    assert last.result == contact_pb2.SEGMENT_RESULT_ABANDONED


async def test_others_conversations_cannot_be_read_or_written(shared):
    process = shared.first
    async with shared.customer(process) as customer, shared.agent(process, "bob") as bob:
        await customer.hears("bot")
        await customer.say("loan")
        await shared.binds(customer)
        with pytest.raises(ServiceError, match="Another agent") as refusal:
            await rpc(bob.GetConversation(pb.GetConversationRequest(contact_id=customer.contact_id)))
        assert refusal.value.code is Code.PERMISSION_DENIED
        with pytest.raises(ServiceError, match="Another agent"):
            await rpc(bob.SendMessage(pb.SendMessageRequest(request_id="b", contact_id=customer.contact_id, text="hi")))
        async with shared.agent(process, "eve", role="supervisor") as supervisor:
            found = await rpc(supervisor.GetConversation(pb.GetConversationRequest(contact_id=customer.contact_id)))
            assert found.conversation.agent_id == "alice"
            await rpc(
                supervisor.CloseConversation(
                    pb.CloseConversationRequest(request_id="c", contact_id=customer.contact_id, cause="supervisor")
                )
            )
        await customer.until(lambda: customer.closed)


async def answer(socket, type="error", seconds=5):
    async with asyncio.timeout(seconds):
        while (frame := json.loads(await socket.recv()))["type"] != type:
            pass
    return frame


def hello(**more):
    return json.dumps({"type": "hello", "widget": "demo/web", **more})


async def test_bad_frames_are_told_and_harm_nobody_else(shared):
    process = shared.first
    url = f"ws://{process.web}/"
    async with shared.customer(process) as other, connect(url) as socket:
        await other.hears("bot")
        for frame, code in [
            ("{", "not_json"),
            (b"\x00\xff", "binary_frame"),
            ('{"type": "message", "id": "1", "text": "x"}', "no_hello"),
            (hello(widget="nowhere"), "unknown_widget"),
            (hello(token="forged"), "bad_token"),
            (hello(last_seq="x"), "wrong_field"),
        ]:
            await socket.send(frame)
            assert (await answer(socket))["code"] == code
        await socket.send(hello())
        await answer(socket, "welcome")
        for frame, code in [
            (hello(), "second_hello"),
            ('{"type": "shout"}', "unknown_type"),
            (json.dumps({"type": "message", "id": "1", "text": "x" * 4_001}), "too_long"),
        ]:
            await socket.send(frame)
            assert (await answer(socket))["code"] == code
        for _ in range(40):
            await socket.send('{"type": "typing"}')
        assert (await answer(socket))["code"] == "too_many"
        async with connect(url) as large:
            await large.send("x" * 70_000)
            with pytest.raises(ConnectionClosed) as end:
                await large.recv()
            assert end.value.rcvd.code == 1009
        await other.say("loan")
        await other.until(lambda: "One moment." in said(other, "bot"))


async def test_a_widget_is_used_from_its_origins_only(shared):
    process = shared.first
    async with connect(f"ws://{process.web}/", origin="https://evil.example") as socket:
        await socket.send(hello(widget="shop"))
        assert (await answer(socket))["code"] == "foreign_origin"
        with pytest.raises(ConnectionClosed) as end:
            await socket.recv()
        assert end.value.rcvd.code == 1008
    async with shared.customer(process, "shop", origin="https://shop.example") as customer:
        await customer.hears("bot")
