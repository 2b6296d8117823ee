"""Agents of the demonstration: gRPC clients with SIP phones, outside of the services."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from junctor.contact.v1 import contact_pb2
from junctor.omnichannel.v1 import omnichannel_pb2, omnichannel_pb2_grpc
from junctor.router.v1 import router_pb2, router_pb2_grpc
from junctor_service.client import Channels, rpc
from junctor_service.errors import ServiceError
from junctor_service.ids import uuid7
from junctor_service.token_source import StaticToken
from junctor_testkit.sip_phone import Behavior, PhoneCall, PhoneError, SipPhone

from junctor_cli.demonstration.cast import TENANT, AgentPart

log = logging.getLogger(__name__)

ANSWER_AFTER_MS = 600
REGISTER_WITHIN = 15.0
WRAP_UP_SECONDS = 1.0
RECONNECT_SECONDS = 0.5
REPLIES = ("Good day, how can I help?", "I see. Let me look that up.", "Done. Anything else?", "You are welcome.")


@dataclass
class Agent:
    """One agent at work. `calls` are the phone's calls by contact; `unanswered` counts what rang in vain."""

    part: AgentPart
    phone: SipPhone
    channels: Channels
    router: Any
    omnichannel: Any
    calls: dict[str, PhoneCall] = field(default_factory=dict)
    chats: set[str] = field(default_factory=set)
    state: int = router_pb2.AGENT_STATE_LOGGED_OUT
    not_responding: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    async def open(cls, part: AgentPart, sip: tuple[str, int], address: Callable[[str], str], token: str) -> Agent:
        """Registers the phone; the agent is not logged in yet."""
        phone = await SipPhone.open(part.device, sip, password=part.password, domain="junctor", tone_hz=part.tone_hz)
        channels = Channels(StaticToken(token))
        await channels.start()
        router = router_pb2_grpc.RouterServiceStub(channels.channel(address("router")))
        omnichannel = omnichannel_pb2_grpc.OmnichannelServiceStub(channels.channel(address("omnichannel")))
        agent = cls(part, phone, channels, router, omnichannel)
        phone.behavior = Behavior(answer_after_ms=ANSWER_AFTER_MS if part.answers else None)
        phone.on_call = agent._rung
        await agent._register()
        return agent

    async def _register(self) -> None:
        """As phones do: again after a refusal, until the directory's agents have reached the edge."""
        limit = time.monotonic() + REGISTER_WITHIN
        while True:
            try:
                await self.phone.register()
                return
            except PhoneError:
                if time.monotonic() > limit:
                    raise
                await asyncio.sleep(RECONNECT_SECONDS)

    async def log_in(self) -> None:
        """Logs in, ready, and follows the own stream of offers."""
        request = router_pb2.LogInRequest(
            request_id=uuid7(), tenant=TENANT, agent_id=self.part.agent_id, state=router_pb2.AGENT_STATE_READY
        )
        await rpc(self.router.LogIn(request, timeout=10))
        self._spawn(self._watch())

    async def close(self) -> None:
        """Logs out and hangs up the phone for good."""
        for task in list(self.tasks):
            task.cancel()
        request = router_pb2.LogOutRequest(request_id=uuid7(), tenant=TENANT, agent_id=self.part.agent_id)
        try:
            await rpc(self.router.LogOut(request, timeout=5))
        except ServiceError as error:
            log.info("agent could not log out", extra={"error": error.message})
        await self.phone.close()
        await self.channels.close()

    def hears(self, contact_id: str, tone_hz: int) -> float:
        """Level of the tone in what came to this phone in the contact's call."""
        call = self.calls.get(contact_id)
        return call.rtp.level(tone_hz) if call is not None else 0.0

    def _rung(self, call: PhoneCall) -> None:
        self.calls[call.headers.get("x-contact-id", call.call_id)] = call

    async def _watch(self) -> None:
        after = 0
        while True:
            try:
                request = router_pb2.WatchAgentRequest(tenant=TENANT, agent_id=self.part.agent_id, after_seq=after)
                async for update in self.router.WatchAgent(request):
                    after = update.seq
                    self._seen(update)
            except Exception as error:
                log.info("the stream of offers broke off", extra={"agent": self.part.agent_id, "error": repr(error)})
            await asyncio.sleep(RECONNECT_SECONDS)

    def _seen(self, update: Any) -> None:
        if update.agent.state == router_pb2.AGENT_STATE_NOT_RESPONDING != self.state:
            self.not_responding += 1
            self.phone.behavior = Behavior(answer_after_ms=ANSWER_AFTER_MS)
            self._spawn(self._ready_again())
        self.state = update.agent.state
        for task in update.agent.tasks:
            if task.state == router_pb2.TASK_STATE_RESERVED and task.channel == contact_pb2.CHANNEL_CHAT:
                self._once(f"accept {task.reservation_id}", self._accept(task.contact_id, task.reservation_id))
            elif task.state == router_pb2.TASK_STATE_ASSIGNED and task.channel == contact_pb2.CHANNEL_CHAT:
                self.chats.add(task.contact_id)
                self._once(f"chat {task.contact_id}", self._chat(task.contact_id))
            elif task.state == router_pb2.TASK_STATE_WRAPPING:
                self._once(f"wrap {task.contact_id}", self._wrap_up(task.contact_id))

    async def _ready_again(self) -> None:
        await asyncio.sleep(3.0)
        request = router_pb2.SetAgentStateRequest(
            request_id=uuid7(), tenant=TENANT, agent_id=self.part.agent_id, state=router_pb2.AGENT_STATE_READY
        )
        await rpc(self.router.SetAgentState(request, timeout=10))

    async def _accept(self, contact_id: str, reservation_id: str) -> None:
        request = router_pb2.AcceptReservationRequest(
            request_id=f"accept-{reservation_id}",
            tenant=TENANT,
            agent_id=self.part.agent_id,
            reservation_id=reservation_id,
            contact_id=contact_id,
        )
        await rpc(self.router.AcceptReservation(request, timeout=10))

    async def _chat(self, contact_id: str) -> None:
        """Answers each of the customer's messages until the customer leaves."""
        replies, after = 0, 0
        while True:
            try:
                request = omnichannel_pb2.WatchConversationRequest(
                    tenant=TENANT, contact_id=contact_id, after_number=after
                )
                async for update in self.omnichannel.WatchConversation(request):
                    if update.state in (
                        omnichannel_pb2.CONVERSATION_STATE_WRAPPING,
                        omnichannel_pb2.CONVERSATION_STATE_CLOSED,
                    ):
                        return
                    message = update.message
                    after = max(after, message.number)
                    if message.author == omnichannel_pb2.AUTHOR_AGENT:
                        replies += 1
                    if (
                        message.author == omnichannel_pb2.AUTHOR_CUSTOMER
                        and update.state == omnichannel_pb2.CONVERSATION_STATE_WITH_AGENT
                    ):
                        await self._write(contact_id, message.number, REPLIES[min(replies, len(REPLIES) - 1)])
            except Exception as error:
                log.info("the conversation's stream broke off", extra={"error": repr(error)})
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _write(self, contact_id: str, number: int, text: str) -> None:
        request = omnichannel_pb2.SendMessageRequest(
            request_id=f"{contact_id}-{number}",
            tenant=TENANT,
            contact_id=contact_id,
            agent_id=self.part.agent_id,
            text=text,
        )
        await rpc(self.omnichannel.SendMessage(request, timeout=10))

    async def _wrap_up(self, contact_id: str) -> None:
        await asyncio.sleep(WRAP_UP_SECONDS)
        request = router_pb2.CompleteTaskRequest(
            request_id=f"complete-{contact_id}",
            tenant=TENANT,
            agent_id=self.part.agent_id,
            contact_id=contact_id,
            disposition="solved",
        )
        await rpc(self.router.CompleteTask(request, timeout=10))

    def _once(self, name: str, work: Any) -> None:
        if any(task.get_name() == name for task in self.tasks):
            work.close()
            return
        self._spawn(work, name)

    def _spawn(self, work: Any, name: str | None = None) -> None:
        task = asyncio.create_task(self._logged(work), name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _logged(self, work: Any) -> None:
        try:
            await work
        except ServiceError as error:
            log.warning("agent was refused", extra={"agent": self.part.agent_id, "error": error.message})
