"""Chats through crashes, silence and Kafka's absence, on real processes."""

import asyncio
import json

from junctor.contact.v1 import contact_pb2
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor_service.client import rpc
from websockets.asyncio.client import connect


def said(customer, author):
    return [message.text for message in customer.messages if message.author == author]


async def answer(socket, type="error", seconds=5):
    async with asyncio.timeout(seconds):
        while (frame := json.loads(await socket.recv()))["type"] != type:
            pass
    return frame


def hello(**more):
    return json.dumps({"type": "hello", "widget": "demo/web", **more})


async def test_a_chat_goes_on_after_its_process_was_killed(site):
    first = await site.process()
    second = await site.process()
    serving = [first]
    customer = site.customer(first)
    customer._url = lambda: f"ws://{serving[0].web}/"
    async with customer:
        await customer.hears("bot")
        await customer.say("a loan please")
        await site.binds(customer)
        serving[0] = second
        await first.kill()
        for number in range(5):
            await customer.say(f"message {number}")
        await customer.until(lambda: "message 4" in said(customer, "customer"), seconds=40)
        async with site.agent(second) as agent:
            await rpc(
                agent.SendMessage(
                    pb.SendMessageRequest(request_id="s", contact_id=customer.contact_id, text="still here"),
                    timeout=30,
                )
            )
        await customer.until(lambda: "still here" in said(customer, "agent"))
    assert said(customer, "customer") == ["a loan please", *(f"message {number}" for number in range(5))]
    assert [message.seq for message in customer.messages] == list(range(1, len(customer.messages) + 1))
    assert customer.connections >= 2


async def test_silent_customers_and_lost_ones_are_closed(site):
    process = await site.process(
        JUNCTOR_OMNICHANNEL__IDLE_TIMEOUT="1s",
        JUNCTOR_OMNICHANNEL__RECONNECT_GRACE="1s",
        JUNCTOR_OMNICHANNEL__HELLO_TIMEOUT="1s",
    )
    async with connect(f"ws://{process.web}/") as socket:
        assert (await answer(socket))["code"] == "no_hello"
    async with site.customer(process) as silent:
        await silent.until(lambda: silent.closed)
        assert "nothing was written" in said(silent, "system")[0]
    async with site.customer(process) as lost:
        await lost.hears("bot")
        await lost.say("loan")
        await lost.until(lambda: "queued" in lost.states)
    events = await site.events(lost.contact_id, contact_pb2.ContactClosed)
    assert [e.detail for e in events if isinstance(e, contact_pb2.ContactClosed)] == ["connection lost"]


async def test_while_kafka_is_away_customers_are_told_and_nothing_is_lost(site):
    process = await site.process()
    async with site.customer(process) as customer, connect(f"ws://{process.web}/") as other:
        await customer.hears("bot")
        await customer.say("before")
        await customer.until(lambda: "Pardon?" in said(customer, "bot"))
        await site.kafka.kill()
        await customer.say("meanwhile")
        await customer.until(lambda: [error for error in customer.errors if error.get("retry")], seconds=30)
        await other.send(hello())
        assert (await answer(other, seconds=30))["retry"] is True
        await site.kafka.start()
        await customer.until(lambda: "meanwhile" in said(customer, "customer"), seconds=40)
    assert said(customer, "customer") == ["before", "meanwhile"]
