"""Which topics are read at one of two sites."""

from pathlib import Path

from junctor_analytics.application.decoding import TOPICS, topics_of
from junctor_journal import topics


def test_the_others_edges_are_read_where_the_mirror_brings_them():
    assert topics_of(None) == TOPICS
    more = set(topics_of("b")) - set(TOPICS)
    assert more == {f"b.junctor.{edge}.events.v1" for edge in ("cti", "ivr", "recording", "omnichannel")}
    mirrored = {declaration.name for declaration in topics.mirrored(Path(__file__).parents[4] / "topics.yaml")}
    assert {name.removeprefix("b.") for name in more} <= mirrored
