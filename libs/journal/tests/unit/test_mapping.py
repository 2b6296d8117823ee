"""Domain values and messages are each other's image."""

import enum
from dataclasses import dataclass, field
from typing import Literal

import pytest
import tally
from junctor_journal.errors import UnknownMessage
from junctor_journal.mapping import Mapping
from tally_messages import tally_pb
from tally_service import MAPPING


@dataclass(frozen=True)
class Mark:
    name: str
    at: int = 0


@dataclass(frozen=True)
class Dot:
    x: int


@dataclass(frozen=True)
class Line:
    length: int
    marks: tuple[Mark, ...] = ()


class Kind(enum.StrEnum):
    PLAIN = "plain"
    ODD = "odd"


@dataclass(frozen=True)
class Everything:
    text: str = ""
    data: bytes = b""
    flag: bool = False
    ratio: float = 0.0
    maybe: int | None = None
    maybe_text: str | None = None
    colour: Literal["", "red", "dark_blue"] = ""
    maybe_colour: Literal["red", "dark_blue"] | None = None
    mark: Mark = Mark("")
    maybe_mark: Mark | None = None
    marks: tuple[Mark, ...] = ()
    names: frozenset[str] = frozenset()
    colours: tuple[Literal["red", "dark_blue"], ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    named: dict[str, Mark] = field(default_factory=dict)
    shape: Dot | Line | None = None
    kind: Kind = Kind.PLAIN


@dataclass(frozen=True)
class Lopsided:
    here: str
    elsewhere: str = ""


PLAIN = Mapping([tally_pb], [Mark, Dot, Line, Everything, Lopsided])
FULL = Everything(
    "t", b"\x00", True, 0.5, 0, "", "red", "dark_blue", Mark("a", 1), Mark("b"), (Mark("c"), Mark("d", 4)),
    frozenset({"z", "a"}), ("red", "dark_blue"), {"k": "v"}, {"m": Mark("n")}, Line(3, (Mark("e"),)), Kind.ODD,
)  # fmt: skip


@pytest.mark.parametrize("value", [FULL, Everything(), Everything(shape=Dot(0))])
def test_a_value_survives_the_way_there_and_back(value):
    message = PLAIN.to_message(value)
    assert type(message) is tally_pb.Everything
    assert PLAIN.to_domain(type(message).FromString(message.SerializeToString())) == value


def test_sets_are_written_in_order():
    assert list(PLAIN.to_message(FULL).names) == ["a", "z"]


def test_an_unset_enum_is_empty():
    assert PLAIN.to_domain(tally_pb.Everything(kind="plain")).colour == ""


def test_a_command_is_its_request():
    assert MAPPING.to_message(tally.Add(3)) == tally_pb.AddRequest(amount=3)
    assert MAPPING.to_domain(tally_pb.AddRequest(request_id="x", amount=3)) == tally.Add(3)


def test_a_response_is_made_from_any_value_with_its_fields():
    assert MAPPING.to_response("Add", tally.AddResult(4)) == tally_pb.AddResponse(total=4)
    assert MAPPING.to_response("Finish", None) == tally_pb.FinishResponse()
    assert MAPPING.to_response("Break", None) is None


def test_a_class_without_a_message_is_told():
    with pytest.raises(UnknownMessage):
        MAPPING.to_message(tally.Tally("t", "s"))
    with pytest.raises(UnknownMessage):
        MAPPING.to_domain(tally_pb.Dot())


def test_fields_without_a_counterpart_are_found_on_both_sides():
    assert PLAIN.unmatched(Everything, Mark, Dot, Line) == []
    assert PLAIN.unmatched(Lopsided) == [
        "Lopsided.elsewhere: not in junctor.tally.v1.Lopsided",
        "junctor.tally.v1.Lopsided.there: not in Lopsided",
    ]
    assert MAPPING.unmatched(tally.Add, tally.Ring, tally.Added, tally.Finished) == []


def test_a_field_of_another_type_is_found():
    Dot2 = dataclass(frozen=True)(type("Dot", (), {"__annotations__": {"x": str}}))
    assert "has no form in" in Mapping([tally_pb], [Dot2]).unmatched(Dot2)[0]
