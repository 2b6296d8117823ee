"""The domain and its protobuf forms, and the fold that the journal keeps."""

from __future__ import annotations

from junctor.contact.v1 import contact_pb2
from junctor.omnichannel.v1 import omnichannel_pb2
from junctor.site.v1 import arrivals_pb2
from junctor_journal.aggregates import Aggregate, AggregateFold
from junctor_journal.mapping import Mapping

from junctor_omnichannel.domain import commands, conversation, decide, events, fence
from junctor_omnichannel.domain.conversation import Conversation

MAPPING = Mapping(protos=[omnichannel_pb2, contact_pb2, arrivals_pb2], domain=[events, commands])


def new_fold() -> AggregateFold[Conversation]:
    """All live conversations of a partition."""
    return AggregateFold(
        Aggregate(
            initial=Conversation,
            decide=decide.decide,
            evolve=conversation.evolve,
            next_due=conversation.next_due,
            is_live=conversation.is_live,
            tick=commands.Tick(),
            rejected=decide.Rejected,
            state=Conversation,
            beside=fence.fenced,
        ),
        MAPPING,
    )
