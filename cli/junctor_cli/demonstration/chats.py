"""Customers who write: over WebSocket, to the bot first and then to an agent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from junctor_testkit.chat_client import ChatClient

from junctor_cli.demonstration.agents import Agent
from junctor_cli.demonstration.cast import Chatter

WIDGET = "web"
READS_FOR = 0.5
ANSWER_WITHIN, AGENT_WITHIN = 15.0, 60.0


@dataclass
class ChatResult:
    """What a chat customer saw. `problems` are what did not go as it must."""

    chatter: Chatter
    contact_id: str = ""
    agent_id: str = ""
    messages: int = 0
    problems: list[str] = field(default_factory=list)


async def write(result: ChatResult, url: str, agents: Mapping[str, Agent]) -> None:
    """One conversation: the bot greets and hands over, an agent answers each message, the customer leaves."""
    chatter = result.chatter
    await asyncio.sleep(chatter.starts_after)
    try:
        async with ChatClient(url, WIDGET, visitor=chatter.name) as chat:
            await _converse(chatter, chat, result)
            result.messages = len(chat.messages)
            numbers = [message.seq for message in chat.messages]
            if numbers != list(range(1, len(numbers) + 1)):
                result.problems.append(f"the messages came as numbers {numbers}")
    except TimeoutError as error:
        result.problems.append(str(error))
    if result.contact_id and not any(result.contact_id in agent.chats for agent in agents.values()):
        result.problems.append("no agent had the conversation")


async def _converse(chatter: Chatter, chat: ChatClient, result: ChatResult) -> None:
    await chat.hears("bot", ANSWER_WITHIN)
    result.contact_id = chat.contact_id
    for number, line in enumerate(chatter.lines):
        await asyncio.sleep(READS_FOR)
        await chat.say(line)
        if chatter.drops and number == 1:
            await chat.drop()
        before = chat.last_seq
        if result.agent_id:
            await chat.hears("agent", ANSWER_WITHIN, after=before)
        else:
            await chat.until(partial(_answered, chat, before), ANSWER_WITHIN)
            if _handed_over(chat):
                answer = await chat.hears("agent", AGENT_WITHIN)
                result.agent_id = answer.agent
    if not result.agent_id:
        result.problems.append("the bot never handed over")
    await chat.close()


def _answered(chat: ChatClient, after: int) -> bool:
    return any(message.seq > after and message.author in ("bot", "agent") for message in chat.messages)


def _handed_over(chat: ChatClient) -> bool:
    return any(state in ("queued", "with_agent") for state in chat.states)
