"""Conversations of the other site as its events tell them: what is known here of one whose site is lost."""

from __future__ import annotations

from junctor_journal.errors import UnknownMessage
from junctor_journal.events import Event

from junctor_omnichannel.application.mapping import MAPPING
from junctor_omnichannel.domain import events as e
from junctor_omnichannel.domain.conversation import Conversation, evolve

_BEGINS = (e.ConversationOpened, e.ConversationAdopted)
_ENDS = (e.ConversationForgotten, e.ConversationMoved)


class FarConversations:
    """Live ones, by tenant and contact. `see` is to be given the events of the other site's omnichannel, in order."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Conversation] = {}

    def __len__(self) -> int:
        return len(self._known)

    def see(self, event: Event) -> None:
        """An event; others than conversations' are passed over, and those of conversations whose beginning was not seen."""
        if event.message is None:
            return
        try:
            happened = MAPPING.to_domain(event.message)
        except UnknownMessage:
            return
        key = (event.tenant, event.stream)
        if isinstance(happened, _ENDS):
            self._known.pop(key, None)
        elif isinstance(happened, _BEGINS):
            self._known[key] = evolve(Conversation(*key), happened)
        elif key in self._known:
            self._known[key] = evolve(self._known[key], happened)

    def find(self, tenant: str, contact_id: str) -> Conversation | None:
        """As far as the mirror brought it."""
        return self._known.get((tenant, contact_id))
