"""A changed value that may concern any agent: all are looked at bit by bit, and read as before until their turn has come."""

import pytest
from junctor_router.domain import sweeps
from junctor_router.domain.commands import LogIn, Tick
from junctor_router.domain.configuration import AgentValue, Interruption, Step, TenantValue
from junctor_router.domain.values import AgentState, AttributeType, Channel, TaskState
from router_given import Centre


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    monkeypatch.setattr(sweeps, "SWEPT", 2)


@pytest.fixture
def centre():
    """Nine agents, whose `loan` is a text."""
    centre = Centre()
    centre.attribute("loan", AttributeType.TEXT)
    centre.queue("sales", Step("region == 'south'"))
    for number in range(9):
        centre.agent(f"agent{number}", loan="05" if number else "x", region="north")
    return centre


def tick(centre):
    centre.now = centre.pool.next_due()
    return centre.do(Tick()).events


def test_agents_are_read_anew_by_their_ids_and_each_state_in_between_is_restored_as_it_was(centre):
    centre.attribute("loan", AttributeType.PROFICIENCY)
    read = []
    while centre.pool.state.sweeps or centre.pool.state.rework:
        other = centre.restored()
        for id, agent in centre.pool.state.agents.items():
            assert other.state.agents[id].member.attributes == agent.member.attributes
        assert other.hash() == centre.pool.hash()
        read.append(
            [id for id in sorted(centre.pool.state.agents) if centre.person(id).member.attributes.get("loan") == 5]
        )
        tick(centre)
    assert read[0] == ["agent1"]
    assert len(read) > 3
    assert all(found == sorted(found) and found == read[-1][: len(found)] for found in read)
    assert "loan" not in centre.person("agent0").member.attributes
    assert centre.person("agent8").member.attributes["loan"] == 5


def test_who_changes_meanwhile_is_read_as_all_who_wait_for_their_turn(centre):
    centre.attribute("loan", AttributeType.PROFICIENCY)
    centre.configure("agent7", AgentValue({"loan": "08"}, "phone"))
    centre.configure("agent8b", AgentValue({"loan": "09"}, "phone"))
    assert centre.person("agent7").member.attributes == {"loan": "08"} != {"loan": 8}
    assert centre.restored().state.agents["agent7"].member.attributes == {"loan": "08"}
    centre.wait(100)
    assert centre.person("agent7").member.attributes == {"loan": 8}
    assert centre.person("agent8b").member.attributes == {"loan": 9}
    assert centre.pool.hash() == centre.replayed().hash() == centre.restored().hash()


def test_a_second_change_of_the_same_attribute_waits_for_the_first(centre):
    centre.attribute("loan", AttributeType.PROFICIENCY)
    tick(centre)
    centre.attribute("loan", AttributeType.TEXT)
    assert len(centre.pool.state.sweeps) == 2
    while centre.pool.state.sweeps:
        other = centre.restored()
        assert {id: a.member.attributes for id, a in other.state.agents.items()} == {
            id: a.member.attributes for id, a in centre.pool.state.agents.items()
        }
        due = centre.pool.next_due()
        assert tick(centre) == other.apply(Tick(), due).events
        assert other.hash() == centre.pool.hash()
    centre.wait(100)
    assert {agent.member.attributes["loan"] for agent in centre.pool.state.agents.values()} == {"05", "x"}


def test_contacts_wait_until_all_agents_are_read(centre):
    centre.arrive("c1")
    centre.attribute("loan", AttributeType.PROFICIENCY)
    while centre.pool.state.sweeps:
        assert ("task", "c1") in centre.pool.state.rework
        tick(centre)
    centre.wait(100)
    assert ("task", "c1") not in centre.pool.state.rework


def test_the_tenants_interruptions_reach_agents_one_after_the_other():
    centre = Centre()
    centre.queue("sales")
    for number in range(5):
        id = f"agent{number}"
        centre.configure(id, AgentValue({}, f"phone{number}", {Channel.VOICE: 1, Channel.MAIL: 1}))
        centre.do(LogIn(id, (Channel.VOICE, Channel.MAIL), AgentState.READY))
    for number in range(5):
        centre.arrive(f"m{number}", channel=Channel.MAIL)
        centre.accept(f"m{number}")
    for number in range(5):
        centre.arrive(f"v{number}")
        centre.accept(f"v{number}")
    assert {centre.task(f"m{n}").state for n in range(5)} == {TaskState.PARKED}
    rule = Interruption(Channel.VOICE, (Channel.MAIL,), ())
    centre.configure("demo", TenantValue(interruptions=(rule,)), "tenant")
    assert {centre.task(f"m{n}").state for n in range(5)} == {TaskState.PARKED, TaskState.ASSIGNED}
    assert centre.restored().hash() == centre.pool.hash()
    assert {id: a.matrix for id, a in centre.restored().state.agents.items()} == {
        id: a.matrix for id, a in centre.pool.state.agents.items()
    }
    centre.wait(100)
    assert {centre.task(f"m{n}").state for n in range(5)} == {TaskState.ASSIGNED}
    assert centre.pool.hash() == centre.replayed().hash()


def test_an_agent_who_goes_meanwhile_is_passed_over(centre):
    centre.attribute("loan", AttributeType.PROFICIENCY)
    for id in ("agent2", "agent3"):
        centre.delete("agent", id)
    centre.wait(100)
    assert not centre.pool.state.sweeps
    assert "agent2" not in centre.pool.state.agent_ids
    assert centre.pool.hash() == centre.replayed().hash() == centre.restored().hash()
