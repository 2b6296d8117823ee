"""What is checked: the protocol, and the variants of it that must fail. A run is a set of switches of TwoSites.tla."""

from __future__ import annotations

from dataclasses import dataclass, field

RULES = """OwnerRule HigherOnly OwnGrant Follow ClaimLost Chain EdgeJoin SlotGuard IdDedup CutRule Lineage PersistFence LegGen
    StampOrder Teach RollCall Reissue Register"""
PROTOCOL = {
    "Contacts": "{1, 2}",
    "Agents": '{"x", "y"}',
    "HomeOfContact": '<<"a", "b">>',
    "HomeOfAgent": '[x |-> "a", y |-> "b"]',
    "Workers": "{1}",
    **{f"Max{name}": "0" for name in ("Crash", "Cut", "Dup", "Tmo", "Own", "Lost")},
    "MaxEpoch": "2",
    **dict.fromkeys(RULES.split(), "TRUE"),
    "ClocksOk": "FALSE",
}
LOG = "OneLeaderPerEpoch MirrorAgrees OwnerIsTheLog CountedOnce NothingAfterTheClaim NewestAdopted ChainRises"
PEOPLE = "NoContactTwoAgents NoSlotTwoContacts NoStaleAccepted OrderKept Served Bounded"
ONE_CONTACT = {"Contacts": "{1}", "HomeOfContact": '<<"a">>'}
FAULTS = {"MaxEpoch": "4", "MaxCrash": "2", "MaxCut": "1", "MaxDup": "1", "MaxTmo": "1", "MaxOwn": "1", "MaxLost": "1"}


@dataclass(frozen=True, slots=True)
class Run:
    """`depth` 0 is breadth first, else random runs of at most so many steps. `violated`: the invariant that must fall.

    TLC tells how far random runs came once a minute, the first time a few seconds after the first minute.
    """

    name: str
    says: str
    switches: dict[str, str] = field(default_factory=dict)
    invariants: str = f"{LOG} {PEOPLE}"
    depth: int = 0
    seconds: int = 60
    violated: str = ""


def _naive(name: str, says: str, violated: str, depth: int = 0, seconds: int = 120, **switches: str) -> Run:
    return Run(name, says, switches, violated, depth, seconds, violated)


FALSE = "FALSE"
NAIVE = (
    # The journal and the two sites joined.
    _naive(
        "reclaim", "an overtaken owner claims again under the site epoch it read", "OneLeaderPerEpoch", OwnGrant=FALSE
    ),
    _naive(
        "no_far_claim",
        "the lost site's journal is read to its end, but not claimed",
        "NothingAfterTheClaim",
        ClaimLost=FALSE,
    ),
    _naive(
        "named_cut",
        "only the site epoch that EpochStarted names is cut",
        "CountedOnce",
        Chain=FALSE,
        MaxEpoch="3",
        Contacts="{1}",
        HomeOfContact='<<"a">>',
    ),
    _naive(
        "own_journal", "a site resumes its own journal whatever it read", "NewestAdopted", Lineage=FALSE, MaxEpoch="3"
    ),
    _naive(
        "no_follow", "a site begins its epoch though a higher one has begun", "ChainRises", Follow=FALSE, MaxEpoch="3"
    ),
    _naive(
        "no_reign",
        "an entry counts by its sequence alone",
        "OwnerIsTheLog",
        OwnerRule=FALSE,
        Workers="{1, 2}",
        MaxOwn="1",
    ),
    # Not a variant: what the protocol does not promise.
    _naive("void_again", "what one take-over made void stays void under the next", "VoidStays", 40, MaxEpoch="3"),
    # Edges and leaders.
    _naive(
        "epoch_only", "an agent's accept connects; edges check the epoch alone", "NoContactTwoAgents", EdgeJoin=FALSE
    ),
    _naive("higher_wins", "a higher epoch takes a talking slot", "NoSlotTwoContacts", 70, SlotGuard=FALSE),
    _naive(
        "no_register",
        "own highest epoch + 1 when the other is silent",
        "OneLeaderPerEpoch",
        60,
        Register=FALSE,
        MaxCut="1",
        MaxCrash="1",
    ),
    _naive("applied_order", "place in line is the order of application", "OrderKept", StampOrder=FALSE),
    _naive(
        "fence_in_memory",
        "an edge forgets its fence when it restarts",
        "NoStaleAccepted",
        60,
        PersistFence=FALSE,
        MaxCrash="1",
    ),
    _naive(
        "offsets",
        "inputs are known by their offsets",
        "Served",
        70,
        IdDedup=FALSE,
        MaxDup="1",
        ClocksOk="TRUE",
        HomeOfContact='<<"b", "b">>',
    ),
    _naive("late_tail", "a decision beyond the cut is believed", "Served", 70, CutRule=FALSE),
    _naive("no_leg", "facts do not say which leg they are about", "Served", 70, LegGen=FALSE, MaxCrash="1"),
    _naive("no_reissue", "pending reservations are not issued again", "Served", 60, Reissue=FALSE, ClocksOk="TRUE"),
    _naive(
        "no_roll_call",
        "slots are not reported to a new leader",
        "Served",
        RollCall=FALSE,
        MaxCrash="1",
        ClocksOk="TRUE",
        Agents='{"y"}',
        HomeOfAgent='[y |-> "b"]',
    ),
)
SHORT = (
    Run(
        "random",
        "two contacts, two agents, four epochs, every fault",
        FAULTS | {"Workers": "{1, 2}"},
        depth=150,
        seconds=75,
    ),
)
LONG = (
    Run(
        "latest_claim",
        "the latest claim reigns, not the highest: not known to break",
        FAULTS | {"Workers": "{1, 2}", "HigherOnly": FALSE},
        depth=150,
        seconds=130,
    ),
    Run(
        "breadth_owner",
        "1 contact, 2 agents, 2 epochs, 2 workers, one rival or crashed owner",
        ONE_CONTACT | {"Workers": "{1, 2}", "MaxOwn": "1"},
        seconds=210,
    ),
    Run(
        "breadth_cut",
        "1 contact, 2 agents, 3 epochs, a cut link",
        ONE_CONTACT | {"MaxEpoch": "3", "MaxCut": "1"},
        seconds=210,
    ),
    Run("breadth_two", "2 contacts, 2 agents, 2 epochs", seconds=210),
    Run(
        "random_sites",
        "every fault between sites, one worker each",
        FAULTS | {"MaxOwn": "0", "MaxLost": "0"},
        depth=150,
        seconds=210,
    ),
    Run("random_all", "every fault, two workers each", FAULTS | {"Workers": "{1, 2}"}, depth=200, seconds=210),
    Run(
        "random_log",
        "every fault, two workers each, five epochs, the log alone",
        FAULTS | {"Workers": "{1, 2}", "MaxEpoch": "5", "MaxOwn": "3", "MaxLost": "2", "MaxCut": "2"},
        LOG,
        200,
        210,
    ),
)
