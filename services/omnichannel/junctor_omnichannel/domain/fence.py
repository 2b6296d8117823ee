"""The highest site epoch seen of each partition of the router (docs/two-sites.md, E1).

Each partition of the journal keeps its own, among its conversations: what is decided there is compared with it in the same
step, and who takes the partition over has it before it acts.
"""

from __future__ import annotations

from collections.abc import Callable

from junctor_omnichannel.domain import commands as c
from junctor_omnichannel.domain.binding import epoch_of
from junctor_omnichannel.domain.conversation import Conversation

EVERY_TENANT = "*"
_FENCE = "fence/"


def stream_of(router_partition: int) -> str:
    """The stream of a fence; its tenant is EVERY_TENANT."""
    return f"{_FENCE}{router_partition}"


def partition_of(stream: str) -> int | None:
    """The partition of the router whose fence a stream is; None for another stream."""
    return int(stream.removeprefix(_FENCE)) if stream.startswith(_FENCE) else None


def in_doubt(state: Conversation, site_epoch: int) -> bool:
    """Whether the agent was given it under an earlier site epoch: the router of this one may know nothing of that."""
    return state.state == "with_agent" and epoch_of(state.reservation_id) < site_epoch


def fenced(command: c.Command, look: Callable[[str, str], Conversation | None]) -> c.Command:
    """The command, or `Overtaken` where the router said it under a site epoch that another has followed. `look` finds what
    else is in the partition of the journal."""
    if not isinstance(command, c.ReservationReported | c.TaskReported) or not command.site_epoch:
        return command
    fence = look(EVERY_TENANT, stream_of(command.partition))
    return c.Overtaken() if fence is not None and command.site_epoch < fence.fence else command
