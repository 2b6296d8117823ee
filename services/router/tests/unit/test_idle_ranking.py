"""The ranking against a plain list of agents, with chunks of three so that they are filled, emptied and joined."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from junctor_router.domain import idle_ranking
from junctor_router.domain.attribute_index import Member
from junctor_router.domain.expression import Attribute, Compare, Literal, holds
from junctor_router.domain.idle_ranking import IdleRanking, highest, members_of, narrowed
from junctor_router.domain.picker import picker_of
from junctor_router.domain.values import Channel

SKILLED = Compare(">=", Attribute("n"), Literal(3))
PICK = picker_of(SKILLED)
MASKS = st.sampled_from([0, 1 << Channel.VOICE, 1 << Channel.CHAT, 1 << Channel.VOICE | 1 << Channel.CHAT])
members = st.integers(0, 14)
values = st.dictionaries(st.sampled_from(["n", "m"]), st.integers(1, 5) | st.just("x"))


@pytest.fixture(scope="module", autouse=True)
def small_chunks():
    whole, idle_ranking.CHUNK = idle_ranking.CHUNK, 3
    yield
    idle_ranking.CHUNK = whole


class RankingMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.ranking = IdleRanking()
        self.members = [Member(f"m{n}", {"n": n % 5}) for n in range(15)]

    @rule(n=members, mask=MASKS)
    def come(self, n, mask):
        member = self.members[n]
        if member.rank < 0:
            self.ranking.enter(member)
            self.ranking.set_open(member, mask)
            self.ranking.settle(member)

    @rule(n=members)
    def go(self, n):
        member = self.members[n]
        if member.rank >= 0:
            self.ranking.set_open(member, 0)
            self.ranking.remove(member)

    @rule(n=members, mask=MASKS, at_once=st.booleans())
    def work(self, n, mask, at_once):
        """With a new rank; where it is not given a place at once, that comes later, with the rank it has then."""
        member = self.members[n]
        if member.rank >= 0:
            self.ranking.to_the_back(member)
            self.ranking.set_open(member, mask if at_once else 0)
            self.ranking.settle(member)

    @rule(n=members, mask=MASKS)
    def open(self, n, mask):
        member = self.members[n]
        if member.rank >= 0:
            self.ranking.set_open(member, mask)
            self.ranking.settle(member)

    @rule(n=members, attributes=values)
    def learn(self, n, attributes):
        self.ranking.set_attributes(self.members[n], attributes)
        self.members[n].attributes = attributes

    @rule()
    def restart(self):
        copies = [Member(m.id, m.attributes, rank=m.rank, open=m.open) for m in self.members]
        last, self.ranking, self.members = self.ranking.last, IdleRanking(), copies
        self.ranking.restore([m for m in copies if m.rank >= 0], last)

    @invariant()
    def everybody_is_found_in_the_order_of_rank(self):
        for channel in (Channel.VOICE, Channel.CHAT):
            free = sorted((m for m in self.members if m.open >> channel & 1), key=lambda m: m.rank)
            meeting = [m for m in free if holds(SKILLED, m.attributes)]
            found = self.ranking.matching(PICK, channel)
            assert list(members_of(found)) == meeting
            assert self.ranking.first(PICK, channel, ()) is (meeting[0] if meeting else None)
            others = [m.id for m in meeting[:1]]
            assert self.ranking.first(PICK, channel, others) is (meeting[1] if len(meeting) > 1 else None)
            assert list(members_of(self.ranking.matching(PICK, channel, meeting[:1]))) == meeting[1:]
            level = max((m.attributes["m"] for m in meeting if isinstance(m.attributes.get("m"), int)), default=None)
            best = [m for m in meeting if m.attributes.get("m") == level] if level is not None else meeting
            assert list(members_of(highest(found, "m"))) == best
            assert list(members_of(narrowed(found, PICK))) == meeting
        anyone = [m for m in self.members if m.open and holds(SKILLED, m.attributes)]
        assert self.ranking.anyone_open(PICK) == len(anyone)

    @invariant()
    def chunks_stay_few(self):
        taken = sum(chunk.taken for chunk in self.ranking.chunks)
        assert all(chunk.taken for chunk in self.ranking.chunks)
        assert taken == sum(1 for m in self.members if m.chunk is not None)
        assert len(self.ranking.chunks) <= 2 * (taken // idle_ranking.CHUNK + 2) + 15 // idle_ranking.CHUNK + 1


RankingMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestRanking = RankingMachine.TestCase
