# ruff: noqa: RUF009 setting() is a dataclass field
"""Settings of the router."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from junctor_service.settings import CommonSettings, setting


class PumpKind(Enum):
    """Who brings inputs to the partitions' owners: see docs/adr/0004-router-pump.md."""

    FAUST = "faust"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings(CommonSettings):
    pump: PumpKind = setting("Who reads the inputs: a Faust app, or a plain consumer.", default=PumpKind.FAUST)
