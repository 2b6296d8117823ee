"""The rows that a state is hashed and dumped as."""

from hypothesis import given
from hypothesis import strategies as st
from junctor_router.application.pools import ROWS
from junctor_router.domain import commands as c
from junctor_router.domain import pool as pool_module
from junctor_router.domain.configuration import AttributeValue, Step
from junctor_router.domain.configuration_commands import SLICE
from junctor_router.domain.pool import Pool
from junctor_router.domain.state_codec import REWORK_HASHED, STANDARD
from junctor_router.domain.values import AttributeType
from router_given import Centre, parse

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=4),
)


@given(plain)
def test_the_fast_codec_writes_what_the_standard_librarys_writes(value):
    assert ROWS.encode(value) == STANDARD.encode(value)
    assert ROWS.decode(ROWS.encode(value)) == STANDARD.decode(ROWS.encode(value))


def busy_centre() -> Centre:
    centre = Centre()
    centre.queue("sales", Step("loan >= 5"))
    for n in range(20):
        centre.agent(f"agent{n}", loan=n % 10 + 1)
    for _ in range(30):
        centre.arrive()
    return centre


def test_rows_encoded_after_each_input_give_the_hash_of_rows_encoded_at_once(monkeypatch):
    monkeypatch.setattr(pool_module, "ROWS_BEHIND", 3)
    centre, step_by_step = busy_centre(), Pool("acme", "default", parse, ROWS)
    for command, now in centre.journal:
        step_by_step.apply(command, now)
        step_by_step.catch_up()
        assert len(step_by_step.state.dirty) <= 3
    assert step_by_step.hash() == centre.pool.hash()


def test_a_loaded_state_has_its_hash_without_encoding_anything_again():
    centre = busy_centre()
    pieces = list(centre.pool.dump())
    loaded = Pool("acme", "default", parse, ROWS)
    loaded.load(pieces)
    assert not loaded.state.dirty
    assert loaded.hash() == centre.pool.hash()
    assert sorted(b"\n".join(loaded.dump()).split(b"\n")) == sorted(b"\n".join(pieces).split(b"\n"))


def test_a_requirement_that_a_changed_attribute_makes_unusable_is_met_by_nobody():
    centre = Centre()
    centre.queue("sales")
    centre.attribute("loan", AttributeType.PROFICIENCY)
    centre.arrive("c1", requirements=("loan >= 5",))
    outcome = centre.configure("loan", AttributeValue(AttributeType.TEXT), "attribute")
    assert outcome.refusal is None
    centre.agent("ann", loan=7)
    assert centre.task("c1").line is not None
    assert centre.do(c.CancelTask("c1")).refusal is None


def test_while_a_large_change_is_worked_off_the_hash_encodes_no_rows():
    centre = Centre()
    centre.queue("sales", Step("loan >= 5"))
    for _ in range(REWORK_HASHED + 2 * SLICE):
        centre.arrive()
    centre.attribute("loan", AttributeType.PROFICIENCY)
    state = centre.pool.state
    assert len(state.rework) > REWORK_HASHED
    changed = len(state.dirty)
    found = centre.pool.hash()
    assert len(state.dirty) == changed
    assert centre.restored().hash() == found
    centre.wait(1_000)
    assert not state.rework
    assert centre.pool.hash() != found
    assert centre.pool.hash() == centre.replayed().hash() == centre.restored().hash()
