"""The domain and its protobuf forms, and the fold that the journal keeps."""

from __future__ import annotations

from junctor.ivr.v1 import ivr_pb2
from junctor_journal.aggregates import Aggregate, AggregateFold
from junctor_journal.mapping import TRANSPORT_FIELDS, Mapping

from junctor_ivr.domain import condition, definition, session
from junctor_ivr.domain.session import Session

MAPPING = Mapping(
    protos=[ivr_pb2],
    domain=[session, definition, condition],
    transport=TRANSPORT_FIELDS | {"caller_number"},
)


def new_fold() -> AggregateFold[Session]:
    """All live sessions of a partition."""
    return AggregateFold(
        Aggregate(
            initial=Session,
            decide=session.decide,
            evolve=session.evolve,
            next_due=session.next_due,
            is_live=session.is_live,
            tick=session.Tick(),
            rejected=session.Rejected,
            state=Session,
        ),
        MAPPING,
    )
