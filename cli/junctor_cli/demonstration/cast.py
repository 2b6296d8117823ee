"""Who takes part in the demonstration: callers, chat customers and agents, and what each of them does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

TENANT = "demo"
ENGLISH, CHINESE = "4001", "4002"
PREFIX, WEALTHY_PREFIX = "+86138", "+86139"
WEALTH = "wealth: a rare skill"

Ending = Literal["served", "abandons_in_line", "abandons_in_flow"]


@dataclass(frozen=True, slots=True)
class Caller:
    """`digits` are pressed one menu after the other (a space waits for silence to be noticed); seconds elsewhere."""

    number: str
    called: str
    digits: tuple[str, ...]
    tone_hz: int
    starts_after: float
    ending: Ending = "served"
    talks_for: float = 3.0
    patience: float = 75.0
    about: str = ""


@dataclass(frozen=True, slots=True)
class AgentPart:
    """`answers` False lets the first call ring without taking it; `joins_after` is seconds after the first call."""

    agent_id: str
    device: str
    password: str
    tone_hz: int
    answers: bool = True
    joins_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Chatter:
    """A customer who writes `lines`, one after each answer. `drops` loses the connection once and resumes."""

    name: str
    lines: tuple[str, ...]
    starts_after: float
    drops: bool = False


def callers() -> list[Caller]:
    """Twenty calls, several at once: three abandon, one waits for a rare skill, some press wrong or nothing."""
    cards, loans, other = ("1",), ("2",), ("3",)
    wealthy = other
    plan: list[tuple[str, tuple[str, ...], Ending, str]] = [
        (ENGLISH, cards, "served", "cards"),
        (ENGLISH, loans, "served", "loans"),
        (ENGLISH, other, "served", "anything else"),
        (CHINESE, cards, "served", "cards, in Chinese"),
        (ENGLISH, ("9", "1"), "served", "a wrong digit, then cards"),
        (ENGLISH, cards, "abandons_in_flow", "hangs up in the menu"),
        (ENGLISH, loans, "served", "loans"),
        (CHINESE, loans, "served", "loans, in Chinese"),
        (ENGLISH, other, "served", "anything else"),
        (ENGLISH, wealthy, "abandons_in_line", WEALTH),
        (ENGLISH, wealthy, "served", WEALTH),
        (ENGLISH, cards, "served", "cards"),
        (ENGLISH, wealthy, "abandons_in_line", WEALTH),
        (ENGLISH, loans, "served", "loans"),
        (CHINESE, cards, "served", "cards, in Chinese"),
        (ENGLISH, other, "served", "anything else"),
        (ENGLISH, cards, "served", "cards"),
        (ENGLISH, loans, "served", "loans"),
        (CHINESE, other, "served", "anything else, in Chinese"),
        (ENGLISH, cards, "served", "cards"),
    ]
    return [
        Caller(
            number=f"{WEALTHY_PREFIX if about == WEALTH else PREFIX}000{100 + index:05d}",
            called=called,
            digits=digits,
            tone_hz=310 + 37 * index,
            starts_after=0.5 * index,
            ending=ending,
            about=about,
        )
        for index, (called, digits, ending, about) in enumerate(plan)
    ]


def chatters() -> list[Chatter]:
    """Five chats; one of them loses its connection in the middle."""
    return [
        Chatter("lin", ("hello", "my card is lost", "thank you"), 1.0),
        Chatter("wang", ("hi", "I want a loan", "how long does it take?", "thanks"), 2.0, drops=True),
        Chatter("zhao", ("good day", "my card does not work", "thanks"), 3.0),
        Chatter("qian", ("hello", "question about a loan", "bye"), 4.0),
        Chatter("sun", ("hello", "something else", "I would like to talk to a person", "thank you"), 5.0),
    ]


LATE_AGENT, SILENT_AGENT = "frank", "erin"
LATE_BY, FIRST_AGENT_TONE, AGENT_TONE_STEP = 14.0, 1_250, 130


def agents(tenant_file: Path) -> list[AgentPart]:
    """The agents of the tenant's file that have a phone; one joins late, one does not answer the first time."""
    content: dict[str, Any] = yaml.safe_load(tenant_file.read_text(encoding="utf-8"))
    found = [
        (str(agent_id), str(fields["device"]), str(fields["device_password"]))
        for agent_id, fields in content["agents"].items()
        if fields.get("device")
    ]
    return [
        AgentPart(
            agent_id,
            device,
            password,
            tone_hz=FIRST_AGENT_TONE + AGENT_TONE_STEP * index,
            answers=agent_id != SILENT_AGENT,
            joins_after=LATE_BY if agent_id == LATE_AGENT else 0.0,
        )
        for index, (agent_id, device, password) in enumerate(found)
    ]
