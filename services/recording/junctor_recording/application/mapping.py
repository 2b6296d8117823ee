"""The domain and its protobuf forms, and the fold that the journal keeps."""

from __future__ import annotations

from junctor.recording.v1 import recording_pb2
from junctor_journal.aggregates import Aggregate, AggregateFold
from junctor_journal.mapping import Mapping

from junctor_recording.domain import recording
from junctor_recording.domain.recording import Recording

MAPPING = Mapping(protos=[recording_pb2], domain=[recording])


def new_fold() -> AggregateFold[Recording]:
    """All live recordings of a partition."""
    return AggregateFold(
        Aggregate(
            initial=Recording,
            decide=recording.decide,
            evolve=recording.evolve,
            is_live=recording.is_live,
            rejected=recording.Rejected,
            state=Recording,
        ),
        MAPPING,
    )
