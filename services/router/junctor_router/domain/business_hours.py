"""Whether a calendar is open at a moment: a pure function of the moment, the value and the IANA time zone database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from junctor_router.domain.configuration import CalendarValue

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 253_000_000_000_000
"""In the year 9987: what calendars can be asked for at all."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_open(calendar: CalendarValue, tenant_zone: str, now: int) -> bool:
    """`now` is Unix milliseconds; after LATEST nothing is open. A zone that does not exist is taken as UTC (`problems` says
    so when it is applied)."""
    if now > LATEST:
        return False
    local = (_EPOCH + timedelta(milliseconds=now)).astimezone(_zone(calendar.time_zone or tenant_zone))
    if local.date().isoformat() in calendar.closed_dates:
        return False
    minute = local.hour * 60 + local.minute
    day = local.weekday()
    return any(day in hours.days and hours.since <= minute < hours.until for hours in calendar.hours)


def problems(calendar: CalendarValue) -> list[str]:
    """What about the value cannot work, in sentences."""
    found = []
    if calendar.time_zone and not _known(calendar.time_zone):
        found.append(f"The time zone {calendar.time_zone} is not in the IANA database; UTC is used.")
    if not calendar.hours:
        found.append("It has no opening hours, so it is always closed.")
    found += [
        f"Opening hours from minute {h.since} to {h.until} hold no time." for h in calendar.hours if h.since >= h.until
    ]
    return found


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name) if name and _known(name) else ZoneInfo("UTC")


def _known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError):
        return False
    return True
