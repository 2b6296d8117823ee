"""What a flow is: nodes by id, as the session keeps them from its start to its end. Times are milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from junctor_ivr.domain.condition import Condition


@dataclass(frozen=True, slots=True)
class MenuAction:
    """Asks up to `attempts` times; `choices` maps digits to nodes. `store` names the data that keeps the digits."""

    prompts: tuple[str, ...]
    choices: dict[str, str]
    timeout_ms: int = 5_000
    attempts: int = 3
    invalid_prompt: str = ""
    no_input_prompt: str = ""
    otherwise: str = ""
    store: str = ""
    secret: bool = False

    @property
    def max_digits(self) -> int:
        """As many as the longest choice has."""
        return max((len(digits) for digits in self.choices), default=1)


@dataclass(frozen=True, slots=True)
class PlayAction:
    prompts: tuple[str, ...]
    next: str


@dataclass(frozen=True, slots=True)
class DecideBranch:
    when: Condition
    next: str
    set: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecideAction:
    branches: tuple[DecideBranch, ...]
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class RouteAction:
    queue: str
    requirements: tuple[str, ...] = ()
    set: dict[str, str] = field(default_factory=dict)
    priority: int = 0
    wait_prompt: str = ""


@dataclass(frozen=True, slots=True)
class HangUpAction:
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlowNode:
    action: MenuAction | PlayAction | DecideAction | RouteAction | HangUpAction


@dataclass(frozen=True, slots=True)
class FlowDefinition:
    """`language` is that of prompts where the contact's data has none."""

    flow: str
    version: int
    start: str
    nodes: dict[str, FlowNode]
    language: str = "en"
