"""What comes of a command."""

from __future__ import annotations

from junctor_router.domain.commands import Response
from junctor_router.domain.events import Event
from junctor_router.domain.record import record
from junctor_router.domain.values import Refused


@record
class Outcome:
    """What the caller is told (a response, a refusal, or nothing to a tick or a configuration) and what happened."""

    response: Response | None
    refusal: Refused | None
    events: tuple[Event, ...]
