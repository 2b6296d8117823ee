"""Checks of business hours."""

from __future__ import annotations

import re
from datetime import date

from junctor.directory.v1 import directory_pb2 as pb

from junctor_directory.application.problems import Place

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")


def check_calendar(place: Place, value: pb.Calendar) -> None:
    for number, hours in enumerate(value.hours):
        path = f"hours/{number}"
        if not hours.days:
            place.problem(f"{path}/days", f"line {number + 1} of the hours names no day")
        for day in hours.days:
            if day not in DAYS:
                place.problem(f"{path}/days", f"'{day}' is no day; days: {', '.join(DAYS)}")
        opens, closes = getattr(hours, "from"), hours.to
        start, end = _minutes(opens), _minutes(closes)
        for field, text, minutes in (("from", opens, start), ("to", closes, end)):
            if minutes is None:
                place.problem(f"{path}/{field}", f"'{text}' is no time of day like 09:00; 24:00 is the day's end")
        if start is not None and end is not None and start >= end:
            place.problem(path, f"{opens} is not before {closes}; write hours past midnight as two lines")
    for number, text in enumerate(value.closed_dates):
        try:
            date.fromisoformat(text)
        except ValueError:
            place.problem(f"closed_dates/{number}", f"'{text}' is no date like 2026-10-01")
    if not value.hours:
        place.warning("hours", "it has no hours, so it is always closed")


def _minutes(text: str) -> int | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    minutes = int(match[1]) * 60 + int(match[2])
    return minutes if minutes <= 24 * 60 else None
