"""Two journals read together, against an independent statement of which entries count: whatever two sites' owners do, and
however their mirrors lag, repeat and stop."""

import random
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st
from judge import chain
from junctor.journal.v1 import journal_pb2 as pb
from junctor_journal import chain_reader
from junctor_journal.chain_reader import ChainPlace, ChainReader
from junctor_journal.reader import JournalReader, Verdict
from junctor_journal.record import chain_hash, encode

OTHER = {"a": "b", "b": "a"}


class Follower:
    """One that reads both journals: applies what counts, and starts again from nothing where it is told to."""

    def __init__(self, at=None):
        self.chain = ChainReader(["a", "b"], at)
        self.entries = []
        self.epochs = 0
        self.at = dict.fromkeys(OTHER, 0)
        self.rewinds = 0

    def read(self, topics):
        """All that `topics` hold now: lists of values by journal."""
        moved = True
        while moved:
            moved = False
            for topic, values in topics.items():
                while self.at[topic] < len(values):
                    offset = self.at[topic]
                    self.at[topic] += 1
                    moved = True
                    if self.take(self.chain.see(topic, values[offset], offset)):
                        break
            for topic, offset in self.chain.seeks().items():
                self.at[topic] = offset
                moved = True

    def take(self, readings):
        for reading in readings:
            if reading.verdict is Verdict.VALID:
                self.entries.append(reading.record.entry)
            elif reading.verdict is Verdict.EPOCH:
                self.epochs += 1
            elif reading.verdict is Verdict.REWIND:
                self.rewinds += 1
                self.chain = self.chain.rebuilt(None, {})
                self.at = dict.fromkeys(OTHER, 0)
                self.entries = []
                self.take(self.chain.release())
                return True
        return False

    def ids(self):
        return [entry.input.id for entry in self.entries]


@dataclass
class Owner:
    """Claims, begins and decides on what it has read, however old that is."""

    site: str
    epoch: pb.Epoch
    owner_id: int
    seq: int = 0
    hash: bytes = b""
    begun: bool = False


@dataclass
class World:
    """Each site's journal as written, and the other's copy of it as it is mirrored."""

    journals: dict = field(default_factory=lambda: {site: [] for site in OTHER})
    copies: dict = field(default_factory=lambda: {site: [] for site in OTHER})
    mirrored: dict = field(default_factory=lambda: dict.fromkeys(OTHER, 0))
    owners: list = field(default_factory=list)
    granted: dict = field(default_factory=dict)
    number: int = 0
    seen: int = 0

    def topics(self, site):
        """What lies in that site's Kafka."""
        return {site: self.journals[site], OTHER[site]: self.copies[OTHER[site]]}

    def grant(self, site):
        self.number += 1
        self.granted[site] = self.number

    def claim(self, site):
        """S1: under the epoch granted to the site, not below what its journals show."""
        epoch = self.granted.get(site)
        reader = read_on(self.topics(site))
        own = reader.chain.place_in(site)
        if (
            epoch is None
            or reader.chain.highest > epoch
            or any(
                reader.chain.place_in(topic).epoch.site == epoch and reader.chain.place_in(topic).site != site
                for topic in OTHER
            )
        ):
            return
        self.seen += 1
        owner_epoch = own.epoch.owner + 1 if own.epoch.site == epoch else 1
        owner = Owner(site, pb.Epoch(site_epoch=epoch, owner_epoch=owner_epoch), self.seen)
        self.journals[site].append(self._claim(owner))
        owner.begun = own.begun == epoch
        if owner.begun:
            owner.seq, owner.hash = reader.chain.seq, reader.chain.hash
            if reader.chain.site_epoch != epoch:
                return
        self.owners.append(owner)

    def claim_far(self, owner):
        """The lost site's journal, which is then copied to its end."""
        far = OTHER[owner.site]
        self.journals[far].append(self._claim(owner))
        self.mirror(far, len(self.journals[far]))

    def begin(self, owner):
        """Behind the newest site epoch that has begun; S4: not where a higher one shows."""
        reader = read_on(self.topics(owner.site)).chain
        if owner.begun or reader.highest > owner.epoch.site_epoch or reader.site_epoch != reader.lineage.newest:
            return
        owner.begun, owner.seq, owner.hash = True, reader.seq, reader.hash
        started = pb.EpochStarted(
            epoch=owner.epoch,
            owner_id=owner.owner_id,
            previous_site_epoch=reader.site_epoch,
            cut_seq=owner.seq,
            cut_hash=owner.hash,
        )
        self.journals[owner.site].append(encode(pb.JournalRecord(epoch_started=started)))

    def decide(self, owner, name):
        if not owner.begun:
            return
        owner.seq += 1
        entry = pb.Entry(
            epoch=owner.epoch, owner_id=owner.owner_id, seq=owner.seq, previous_hash=owner.hash, input=pb.Input(id=name)
        )
        value = encode(pb.JournalRecord(entry=entry))
        owner.hash = chain_hash(owner.hash, value)
        self.journals[owner.site].append(value)

    def mirror(self, site, upto):
        self.copies[site] += self.journals[site][self.mirrored[site] : upto]
        self.mirrored[site] = max(upto, self.mirrored[site])

    def repeat(self, site, back):
        at = max(0, self.mirrored[site] - back)
        self.copies[site] += self.journals[site][at : self.mirrored[site]]

    def _claim(self, owner):
        claim = pb.OwnerStarted(epoch=owner.epoch, owner_id=owner.owner_id, site=owner.site)
        return encode(pb.JournalRecord(owner_started=claim))


def read_on(topics):
    follower = Follower()
    follower.read(topics)
    return follower


def made(seed, steps):
    """Grants at any time while old leaders go on, claims in the lost site's journal or not, mirrors that lag and repeat."""
    draw = random.Random(seed)
    world = World()
    world.grant("a")
    world.claim("a")
    world.begin(world.owners[0])
    for step in range(steps):
        site = draw.choice("ab")
        match draw.randrange(16):
            case 0:
                world.grant(site)
                world.claim(site)
            case 1:
                world.claim(site)
            case 2 | 3:
                world.mirror(site, len(world.journals[site]))
            case 4:
                world.mirror(site, draw.randint(0, len(world.journals[site])))
            case 5:
                world.repeat(site, draw.randint(0, 30))
            case 6:
                owner = world.owners[-1]
                if not owner.begun and draw.random() < 0.5:
                    world.claim_far(owner)
            case 7 | 8:
                world.begin(draw.choice(world.owners[-2:]))
            case _:
                world.decide(draw.choice(world.owners[-3:]), f"i{step}")
    return world


def worlds():
    return st.builds(made, st.integers(0, 1 << 32), st.integers(10, 90))


def test_the_worlds_are_not_dull():
    void = passed = continued = rewound = 0
    for seed in range(60):
        world = made(seed, 90)
        follower = read_on(world.journals)
        lineage = follower.chain.lineage
        entries = sum(
            pb.JournalRecord.FromString(value).HasField("entry") for j in world.journals.values() for value in j
        )
        void += entries > len(follower.entries)
        passed += len(lineage.known()) > len(lineage.chain())
        continued += len(lineage.chain()) > 2
        rewound += follower.rewinds > 0
    assert min(void, passed, continued, rewound) > 5


@given(worlds())
@settings(max_examples=150, deadline=None)
def test_one_who_sees_both_journals_counts_as_the_judge_does(world):
    follower = read_on(world.journals)
    assert follower.ids() == [entry.input.id for entry in chain(world.journals)]


@given(worlds())
@settings(max_examples=100, deadline=None)
def test_each_site_counts_as_the_judge_does_by_what_it_has(world):
    for site in OTHER:
        topics = world.topics(site)
        assert read_on(topics).ids() == [entry.input.id for entry in chain(topics)]


@given(worlds(), st.integers(0, 1 << 32))
@settings(max_examples=100, deadline=None)
def test_the_order_in_which_the_journals_are_read_changes_nothing(world, seed):
    draw = random.Random(seed)
    expected = read_on(world.journals).ids()
    follower = Follower()
    seen = dict.fromkeys(OTHER, 0)
    while any(seen[site] < len(world.journals[site]) for site in OTHER):
        seen[draw.choice("ab")] += draw.randint(0, 10)
        follower.read({one: values[: seen[one]] for one, values in world.journals.items()})
    assert follower.ids() == expected


@given(worlds(), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_a_full_queue_is_let_go_and_read_again(world, queued):
    expected = read_on(world.journals).ids()
    before, chain_reader.QUEUED = chain_reader.QUEUED, queued
    try:
        assert read_on(world.journals).ids() == expected
    finally:
        chain_reader.QUEUED = before


@given(worlds(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_reader_goes_on_from_its_place(world, data):
    first = Follower()
    upto = {site: data.draw(st.integers(0, len(values))) for site, values in world.journals.items()}
    first.read({site: values[: upto[site]] for site, values in world.journals.items()})
    place = first.chain.place()
    assert isinstance(place, ChainPlace)
    second = Follower(place)
    second.at = {site: place.journals[site].next_offset for site in OTHER}
    second.entries = list(first.entries)
    second.take(second.chain.release())
    second.read(world.journals)
    assert second.ids() == read_on(world.journals).ids()


@given(worlds())
@example(made(1070, 44))
@settings(max_examples=100, deadline=None)
def test_what_is_held_counts_when_it_is_released(world):
    follower = Follower()
    follower.chain.hold(1 << 60)
    follower.read(world.journals)
    assert follower.entries == []
    follower.take(follower.chain.release())
    follower.read(world.journals)
    assert follower.ids() == read_on(world.journals).ids()
    assert follower.rewinds == 0


@given(worlds())
@settings(max_examples=30, deadline=None)
def test_one_journal_alone_never_counts_what_does_not_follow(world):
    for values in world.journals.values():
        reader = JournalReader()
        previous = None
        for value in values:
            verdict = reader.see(value)
            if verdict is Verdict.VALID:
                entry = reader.record.entry
                assert previous is None or (entry.seq, entry.previous_hash) == previous
                previous = (entry.seq + 1, chain_hash(entry.previous_hash, value))
            elif verdict is Verdict.EPOCH:
                previous = None
