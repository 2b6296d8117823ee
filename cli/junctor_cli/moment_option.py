"""Options that name a moment: a date and time, or how long ago."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import click

_AGO = re.compile(r"(\d+)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Moment(click.ParamType):
    """`2026-03-02T08:00`, with `Z` or an offset where it is not UTC, or `90m` for 90 minutes ago. Unix milliseconds."""

    name = "MOMENT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        ago = _AGO.fullmatch(value)
        if ago is not None:
            return int((time.time() - int(ago[1]) * _SECONDS[ago[2]]) * 1_000)
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"'{value}' is no moment: give 2026-03-02T08:00 (UTC, or with an offset) or 90m for 90 minutes ago"
            )
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1_000)
