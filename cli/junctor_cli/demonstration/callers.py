"""Callers of the demonstration: phones outside of the services, and what they heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from junctor_service.ids import sip_contact_id
from junctor_testkit.audio import rms
from junctor_testkit.sip_phone import PhoneCall, PhoneError, SipPhone

from junctor_cli.demonstration.agents import Agent
from junctor_cli.demonstration.cast import Caller

TRUNK = "default"
TONE_LEVEL, SPEECH_LEVEL = 2_000.0, 200.0
LOOK_EVERY = 0.1
BOTH_HEAR_WITHIN = 5.0


@dataclass
class CallResult:
    """What a caller saw. `problems` are what did not go as it must; milliseconds."""

    caller: Caller
    contact_id: str = ""
    answered_ms: float | None = None
    heard_prompt: bool = False
    agent_id: str = ""
    joined_ms: float | None = None
    state: str = "waits to call"
    problems: list[str] = field(default_factory=list)


async def place(caller: Caller, sip: tuple[str, int], agents: Mapping[str, Agent], result: CallResult) -> None:
    """One call from dialling to its end; everything that is wrong goes into `result.problems`."""
    await asyncio.sleep(caller.starts_after)
    phone = await SipPhone.open(caller.number, sip, tone_hz=caller.tone_hz)
    try:
        result.state = "calls"
        call = await phone.call(f"sip:{caller.called}@{sip[0]}:{sip[1]}", display=caller.number)
        result.contact_id = sip_contact_id(TRUNK, call.call_id, _tag(call.local))
        await _talk(caller, call, list(agents.values()), result)
    except (TimeoutError, PhoneError) as error:
        result.problems.append(str(error))
    finally:
        await phone.close()
        result.state = "done" if not result.problems else "failed"


async def _talk(caller: Caller, call: PhoneCall, agents: Sequence[Agent], result: CallResult) -> None:
    await call.wait("answered", "rejected", within=15)
    if call.state == "rejected":
        result.problems.append(f"the call was refused with {call.code}")
        return
    result.answered_ms = (call.times["answered"] - call.times["invite_sent"]) * 1000
    result.state = "hears the menu"
    result.heard_prompt = await _until(lambda: rms(call.rtp.samples(last_ms=200)) > SPEECH_LEVEL, 8)
    if not result.heard_prompt:
        result.problems.append("no prompt was heard")
    if caller.ending == "abandons_in_flow":
        await asyncio.sleep(1.0)
        await call.hang_up()
        return
    for digit in caller.digits:
        await asyncio.sleep(0.8)
        await call.send_digits(digit)
    result.state = "waits"
    if caller.ending == "abandons_in_line":
        await asyncio.sleep(4.0)
        await call.hang_up()
        return
    waited_since = time.monotonic()
    agent = await _agent_heard(call, agents, caller.patience)
    if agent is None:
        result.problems.append(f"no agent was heard within {caller.patience:.0f} s")
        await call.hang_up()
        return
    result.agent_id, result.state = agent.part.agent_id, f"talks to {agent.part.agent_id}"
    result.joined_ms = (time.monotonic() - waited_since) * 1000
    if not await _until(lambda: agent.hears(result.contact_id, caller.tone_hz) > TONE_LEVEL, BOTH_HEAR_WITHIN):
        result.problems.append(f"{agent.part.agent_id} did not hear the caller")
    await asyncio.sleep(caller.talks_for)
    if call.rtp.level(agent.part.tone_hz) < TONE_LEVEL:
        result.problems.append(f"{agent.part.agent_id} was no longer heard at the end of the talk")
    code = await call.hang_up()
    if code != 200:
        result.problems.append(f"hanging up was answered with {code}")


async def _agent_heard(call: PhoneCall, agents: Sequence[Agent], within: float) -> Agent | None:
    found: list[Agent] = []

    def heard() -> bool:
        found.extend(agent for agent in agents if call.rtp.level(agent.part.tone_hz) > TONE_LEVEL)
        return bool(found) or call.state != "answered"

    await _until(heard, within)
    return found[0] if found else None


def _tag(address: str) -> str:
    return address.rpartition("tag=")[2]


async def _until(condition: Callable[[], bool], within: float) -> bool:
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        if condition():
            return True
        await asyncio.sleep(LOOK_EVERY)
    return False
