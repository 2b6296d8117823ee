"""Chats of two sites: agents of one write with customers of the other, and who loses a site comes to the other one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from junctor.directory.v1 import directory_pb2, directory_pb2_grpc
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.omnichannel.v1 import omnichannel_pb2_grpc
from junctor.router.v1 import router_pb2
from junctor_journal import topics
from junctor_journal.events import EventReader
from junctor_journal.kafka import KafkaLog
from junctor_local.two_sites import TwoSites
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError
from junctor_service.ids import uuid7
from junctor_testkit.chat_client import ChatClient
from websockets.asyncio.client import connect

from e2e.sites.desk import QUEUE, TENANT, Desk

LIMIT = 240.0
pytestmark = pytest.mark.skipif(os.environ.get("JUNCTOR_SITES") != "long", reason="make e2e-sites")


class Chats:
    """Customers by WebSocket and one agent's workspace by gRPC."""

    def __init__(self, sites: TwoSites, desk: Desk) -> None:
        self.sites, self.desk = sites, desk
        self.site = "a"
        """Where customers connect."""

    def customer(self) -> ChatClient:
        return ChatClient(lambda: f"{self.sites[self.site].address('web_chat')}/", f"{TENANT}/web")

    def omnichannel(self, site: str, agent: str) -> omnichannel_pb2_grpc.OmnichannelServiceAsyncStub:
        token = self.desk.token(agent, "agent", agent)
        made: omnichannel_pb2_grpc.OmnichannelServiceAsyncStub = self.desk.stub(
            site, "omnichannel", omnichannel_pb2_grpc.OmnichannelServiceStub, token
        )
        return made

    async def log_in(self, site: str, agent: str) -> None:
        """Once the directory's values are known there."""
        async with asyncio.timeout(LIMIT):
            while True:
                request = router_pb2.LogInRequest(
                    request_id=uuid7(), tenant=TENANT, agent_id=agent, state=router_pb2.AGENT_STATE_READY
                )
                try:
                    await rpc(self.desk.router(site, agent).LogIn(request, timeout=30))
                    return
                except ServiceError as error:
                    if error.code is not Code.NOT_FOUND and not error.retryable:
                        raise
                await asyncio.sleep(0.2)

    async def widget(self, site: str) -> None:
        """Customers' chats go in line for the desk."""
        token = self.desk.token("administrator", "administrator")
        stub = self.desk.stub(site, "directory", directory_pb2_grpc.DirectoryServiceStub, token)
        value = directory_pb2.Value(id="web", widget=directory_pb2.Widget(queue=QUEUE, language="en"))
        await rpc(
            stub.ApplyConfiguration(
                directory_pb2.ApplyConfigurationRequest(
                    request_id=uuid7(), tenant=TENANT, values=[value], comment="chats"
                ),
                timeout=60,
            )
        )

    async def accept(self, site: str, agent: str, contact: str) -> str:
        """Takes the contact once it is offered; gives the reservation."""
        async with asyncio.timeout(LIMIT):
            async for update in self.desk.router(site, agent).WatchAgent(
                router_pb2.WatchAgentRequest(tenant=TENANT, agent_id=agent)
            ):
                for task in update.agent.tasks:
                    if task.contact_id == contact and task.state == router_pb2.TASK_STATE_RESERVED:
                        await rpc(
                            self.desk.router(site, agent).AcceptReservation(
                                router_pb2.AcceptReservationRequest(
                                    request_id=uuid7(),
                                    tenant=TENANT,
                                    agent_id=agent,
                                    reservation_id=task.reservation_id,
                                    contact_id=contact,
                                ),
                                timeout=30,
                            )
                        )
                        return str(task.reservation_id)
        raise AssertionError("the stream of offers ended")


async def test_chats_are_served_across_sites_and_come_to_the_survivor(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    sites = TwoSites(
        tmp_path / "site",
        processes=False,
        services=("directory", "router", "omnichannel"),
        without=("clickhouse", "media"),
    )
    async with sites:
        desk = Desk(sites)
        chats = Chats(sites, desk)
        await desk.configure("b", ["ann"])
        await chats.widget("b")
        await chats.log_in("b", "ann")
        here = chats.omnichannel("b", "ann")
        async with AsyncExitStack() as customers:
            talking = await customers.enter_async_context(chats.customer())
            await talking.until(lambda: "queued" in talking.states, LIMIT)
            await chats.accept("b", "ann", talking.contact_id)
            await talking.until(lambda: "with_agent" in talking.states, LIMIT)
            waiting = await customers.enter_async_context(chats.customer())
            await waiting.until(lambda: "queued" in waiting.states, LIMIT)

            # The agent's workspace is at b, the conversation at a.
            heard = asyncio.create_task(_watched(here, talking.contact_id, "from the customer"))
            await _said(here, talking.contact_id, "from the agent")
            await talking.until(lambda: "from the agent" in [m.text for m in talking.messages], LIMIT)
            await talking.say("from the customer")
            await heard
            with pytest.raises(ServiceError, match="Another agent"):
                stranger = chats.omnichannel("b", "bob")
                await rpc(
                    stranger.GetConversation(
                        pb.GetConversationRequest(tenant=TENANT, contact_id=talking.contact_id), timeout=30
                    )
                )

            arrived = (await _task(desk, waiting.contact_id)).arrived_at
            async with asyncio.timeout(LIMIT):
                while len((await _events_at(sites, "b")).get(talking.contact_id, [])) < 3:
                    await asyncio.sleep(0.5)
            killed = time.monotonic()
            chats.site = "b"
            before = len(talking.states), len(waiting.states)
            await sites.kill("a")
            await waiting.until(lambda: "queued" in waiting.states[before[1] :], LIMIT)
            await talking.until(lambda: "with_agent" in talking.states[before[0] :], LIMIT)
            record_property(
                "a chat goes on at the survivor, seconds after the kill", round(time.monotonic() - killed, 1)
            )
            print(f"Chats went on at the survivor {time.monotonic() - killed:.1f} s after the kill.")
            task = await _task(desk, waiting.contact_id)
            assert (task.arrived_at, task.state) == (arrived, router_pb2.TASK_STATE_QUEUED)
            await _said(here, talking.contact_id, "still here")
            await talking.until(lambda: "still here" in [m.text for m in talking.messages], LIMIT)
            texts = [message.text for message in talking.messages]
            assert texts.index("from the agent") < texts.index("from the customer") < texts.index("still here")
            assert [m.seq for m in talking.messages] == list(range(1, len(texts) + 1))

            # What is not this customer's token is nobody's.
            forged = talking.token[:-4] + ("aaaa" if talking.token[-4:] != "aaaa" else "bbbb")
            assert (await _refused(sites, forged))["code"] == "bad_token"

            # The one that comes back leaves the conversation where it is: its old copy takes no word, however soon that comes.
            await sites.restart("a")
            there = chats.omnichannel("a", "ann")
            await _said(there, talking.contact_id, "from the other side")
            await _knows(there, talking.contact_id, "from the other side")
            await talking.until(lambda: "from the other side" in [m.text for m in talking.messages], LIMIT)
            await talking.close()
            await waiting.close()
        await desk.close()


async def _said(stub: omnichannel_pb2_grpc.OmnichannelServiceAsyncStub, contact: str, text: str) -> None:
    """Again while a site that is lost is not known to be."""
    request = pb.SendMessageRequest(request_id=uuid7(), tenant=TENANT, contact_id=contact, agent_id="ann", text=text)
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                await rpc(stub.SendMessage(request, timeout=10))
                return
            except ServiceError as error:
                if not error.retryable and error.code not in {Code.NOT_FOUND, Code.DEADLINE_EXCEEDED}:
                    raise
                request.request_id = uuid7() if error.code is Code.NOT_FOUND else request.request_id
            await asyncio.sleep(0.2)


async def _watched(stub: omnichannel_pb2_grpc.OmnichannelServiceAsyncStub, contact: str, text: str) -> None:
    async with asyncio.timeout(LIMIT):
        async for update in stub.WatchConversation(pb.WatchConversationRequest(tenant=TENANT, contact_id=contact)):
            if update.message.text == text:
                return


async def _knows(stub: omnichannel_pb2_grpc.OmnichannelServiceAsyncStub, contact: str, text: str) -> None:
    """The site that came back has read that the other one has the conversation, and asks there."""
    request = pb.GetConversationRequest(tenant=TENANT, contact_id=contact)
    async with asyncio.timeout(LIMIT):
        while True:
            with contextlib.suppress(ServiceError):
                found = await rpc(stub.GetConversation(request, timeout=10))
                if text in [message.text for message in found.conversation.messages]:
                    return
            await asyncio.sleep(0.2)


async def _task(desk: Desk, contact: str) -> router_pb2.Task:
    found = await rpc(
        desk.router("b").GetTask(router_pb2.GetTaskRequest(tenant=TENANT, contact_id=contact), timeout=30)
    )
    task: router_pb2.Task = found.task
    return task


async def _refused(sites: TwoSites, token: str) -> dict[str, object]:
    async with connect(f"{sites['b'].address('web_chat')}/") as socket:
        await socket.send(json.dumps({"type": "hello", "widget": f"{TENANT}/web", "token": token}))
        found: dict[str, object] = json.loads(await socket.recv())
        return found


async def _events_at(sites: TwoSites, site: str) -> dict[str, list[str]]:
    """The other site's conversations' events as this site's mirror has them, by contact."""
    log = KafkaLog(sites[site].address("kafka"), client_id="test")
    await log.start()
    reader = EventReader(log, [topics.of_site("a", topics.events("omnichannel"))], "earliest")
    found: dict[str, list[str]] = {}
    try:
        await reader.start()
        while batch := await reader.getmany(1_000):
            for event in batch:
                if event.type.endswith("MessageAdded"):
                    found.setdefault(event.stream, []).append(event.type)
    finally:
        await reader.stop()
        await log.stop()
    return found
