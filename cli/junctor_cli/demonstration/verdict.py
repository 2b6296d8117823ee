"""Whether the demonstration showed what it must: audio, recording, events and rows of every call."""

from __future__ import annotations

import asyncio
import io
import time
import wave
from array import array
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from junctor.recording.v1 import recording_pb2
from junctor_testkit.audio import goertzel

from junctor_cli.demonstration.agents import Agent
from junctor_cli.demonstration.callers import CallResult
from junctor_cli.demonstration.cast import TENANT, Ending
from junctor_cli.demonstration.chats import ChatResult
from junctor_cli.demonstration.report import Reports

ROWS_WITHIN = 20.0
TONE_LEVEL = 1_500.0
RATE = 8_000
HEARD_WINDOWS = 3
WAYS: Mapping[Ending, list[tuple[str, str]]] = {
    "served": [("flow", "completed"), ("queue", "completed"), ("agent", "completed")],
    "abandons_in_line": [("flow", "completed"), ("queue", "abandoned")],
    "abandons_in_flow": [("flow", "abandoned")],
}


async def rows_there(reports: Reports, contacts: Sequence[str], recorded: Sequence[str]) -> None:
    """Waits until ClickHouse has every contact closed, each segment ended and every recording sealed, at most
    `ROWS_WITHIN` seconds: the tables of one batch are filled one after the other."""

    def complete() -> bool:
        closed = [row for row in reports.contacts(list(contacts)) if row[2] is not None]
        segments = reports.segments(list(contacts))
        served = {contact for contact, kind, _, _, _ in segments if kind == "agent"}
        ended = all(result for _, _, _, _, result in segments)
        sealed = len(reports.recordings(list(recorded))) >= len(recorded)
        return len(closed) >= len(contacts) and ended and sealed and served >= set(recorded)

    await _until(lambda: asyncio.to_thread(complete), ROWS_WITHIN)


async def judge(
    results: Sequence[CallResult], agents: Mapping[str, Agent], reports: Reports, recording: Any
) -> list[str]:
    """One sentence for everything that is missing; empty when all is there."""
    problems = [f"{result.caller.number}: {problem}" for result in results for problem in result.problems]
    contacts = [result.contact_id for result in results if result.contact_id]
    closed = {row[0]: row[1] for row in reports.contacts(contacts) if row[2] is not None}
    ways: dict[str, list[tuple[str, str]]] = defaultdict(list)
    served_by: dict[str, str] = {}
    for contact, kind, _, agent_id, outcome in reports.segments(contacts):
        ways[contact].append((kind, outcome))
        if kind == "agent":
            served_by[contact] = agent_id
    recorded = {row[0] for row in reports.recordings(contacts)}
    for result in results:
        who, contact = result.caller.number, result.contact_id
        if contact not in closed:
            problems.append(f"{who}: no closed row in junctor.contacts for {contact or 'it'}")
            continue
        if ways[contact] != WAYS[result.caller.ending]:
            problems.append(f"{who}: its segments are {ways[contact]}, not {WAYS[result.caller.ending]}")
        if result.caller.ending != "served":
            continue
        if served_by.get(contact) != result.agent_id:
            problems.append(f"{who}: heard {result.agent_id}, but the rows say {served_by.get(contact)}")
        if contact not in recorded:
            problems.append(f"{who}: no sealed recording in junctor.recordings")
        elif result.agent_id:
            problems += await _recording_problems(result, agents[result.agent_id].part.tone_hz, recording)
    return problems


def chat_problems(chats: Sequence[ChatResult], reports: Reports) -> list[str]:
    """One sentence for everything that is missing of a conversation."""
    problems = [f"{chat.chatter.name}: {problem}" for chat in chats for problem in chat.problems]
    contacts = [chat.contact_id for chat in chats if chat.contact_id]
    closed = {row[0] for row in reports.contacts(contacts) if row[2] is not None} if contacts else set()
    return problems + [
        f"{chat.chatter.name}: no closed row in junctor.contacts" for chat in chats if chat.contact_id not in closed
    ]


async def _recording_problems(result: CallResult, agent_hz: int, recording: Any) -> list[str]:
    """Left is the customer, right the agent: each must be on its own side and not on the other."""
    request = recording_pb2.FetchAudioRequest(tenant=TENANT, contact_id=result.contact_id)
    data = b"".join([part.data async for part in recording.FetchAudio(request, timeout=30)])
    with wave.open(io.BytesIO(data)) as file:
        samples = array("h", file.readframes(file.getnframes()))
        channels = file.getnchannels()
    who = result.caller.number
    if channels != 2:
        return [f"{who}: the recording has {channels} channels, not 2"]
    left, right = samples[0::2], samples[1::2]
    customer_hz = result.caller.tone_hz
    heard = {
        "the caller on the left": _windows_with(left, customer_hz) >= HEARD_WINDOWS,
        "the agent on the right": _windows_with(right, agent_hz) >= HEARD_WINDOWS,
    }
    mixed = _windows_with(left, agent_hz) or _windows_with(right, customer_hz)
    problems = [f"{who}: the recording has not {what}" for what, there in heard.items() if not there]
    return [*problems, f"{who}: the recording's sides are mixed"] if mixed else problems


def _windows_with(samples: Sequence[int], hz: int) -> int:
    """In how many quarters of a second the tone is heard: the recording begins before its first packet comes."""
    size = RATE // 4
    starts = range(0, len(samples) - size + 1, size)
    return sum(goertzel(samples[start : start + size], hz) > TONE_LEVEL for start in starts)


async def _until(condition: Callable[[], Awaitable[bool]], within: float) -> bool:
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        if await condition():
            return True
        await asyncio.sleep(0.3)
    return False
