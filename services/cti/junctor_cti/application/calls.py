"""The journal's fold of calls and devices, and the names that the domain and the protos share."""

from __future__ import annotations

from collections.abc import Iterable

from junctor.contact.v1 import contact_pb2
from junctor.cti.v1 import cti_pb2
from junctor.site.v1 import arrivals_pb2
from junctor_journal.aggregates import Aggregate, AggregateFold
from junctor_journal.mapping import Mapping
from junctor_service.arrivals import STREAM as STREAM_OF_SHARE
from junctor_service.tokens import EVERY_TENANT

from junctor_cti.domain import commands, decide, events
from junctor_cti.domain.call import Call
from junctor_cti.domain.decide import Line
from junctor_cti.domain.device import STREAM, Device
from junctor_cti.domain.relay import Relay
from junctor_cti.domain.turn import Rejected

MAPPING = Mapping(protos=[cti_pb2, contact_pb2, arrivals_pb2], domain=[commands, events])
CALLS = Aggregate(
    initial=lambda tenant, stream: Line(),
    decide=decide.apply,
    state=Line,
    next_due=decide.next_due,
    is_live=decide.is_live,
    tick=commands.Tick(),
    rejected=Rejected,
)


def new_fold() -> AggregateFold[Line]:
    """An empty partition."""
    return AggregateFold(CALLS, MAPPING)


FENCE = "fence/"


def fence_stream(partition: int) -> str:
    """The stream of the fence of a partition of the router; its tenant is EVERY_TENANT."""
    return f"{FENCE}{partition}"


def device_stream(device: str) -> str:
    """The stream of a device."""
    return f"{STREAM}{device}"


def call_of(fold: AggregateFold[Line], tenant: str, contact_id: str) -> Call | None:
    line = fold.get(tenant, contact_id)
    return line.call if line is not None else None


def relay_of(fold: AggregateFold[Line], tenant: str, stream: str) -> Relay | None:
    line = fold.get(tenant, stream)
    return line.relay if line is not None else None


def device_of(fold: AggregateFold[Line], tenant: str, stream: str) -> Device | None:
    line = fold.get(tenant, stream)
    return line.device if line is not None else None


def share_of(folds: Iterable[AggregateFold[Line]]) -> int:
    """The share of arrivals that is sent to the other site, in percent, whichever slot was told."""
    lines = (fold.get(EVERY_TENANT, STREAM_OF_SHARE) for fold in folds)
    return next((line.away_percent for line in lines if line is not None and line.away_percent is not None), 0)
