"""What a process tells of the streams that it has: what is open is compared with what the state says, again and again."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from junctor.router.v1 import router_pb2 as pb
from junctor_router.application import agent_streams
from junctor_router.application.agent_streams import AgentStreams
from junctor_service.errors import not_found, unavailable

ANN = ("acme", "ann")


class State:
    """What the pools hold, and the log that inputs go through: it can be away."""

    def __init__(self):
        self.held = {}
        self.told = []
        self.ids = []
        self.away = False

    def pool_of_agent(self, tenant, agent_id):
        if agent_id == "ghost":
            raise not_found("There is no such agent.", reason="AGENT_UNKNOWN")
        return "default"

    def holders(self, tenant, agent_id):
        return tuple(sorted(self.held.get((tenant, agent_id), ())))

    def fact(self, message, *, id, tenant, stream):
        return SimpleNamespace(message=message, id=id, tenant=tenant, stream=stream)

    async def tell(self, input, deadline=None):
        if self.away:
            raise unavailable("Kafka is away.", reason="LOG_AWAY")
        assert input.id not in self.ids, "an input's id is used once"
        self.ids.append(input.id)
        message = input.message
        self.told.append((type(message).__name__, getattr(message, "agent_id", "")))
        if isinstance(message, pb.AgentStreamOpened):
            self.held.setdefault((input.tenant, message.agent_id), set()).add(message.holder)
        if isinstance(message, pb.AgentStreamClosed):
            self.held[input.tenant, message.agent_id].discard(message.holder)


@pytest.fixture
def state():
    return State()


@pytest.fixture
async def streams(state, monkeypatch):
    monkeypatch.setattr(agent_streams, "RETRY_SECONDS", 0.01)
    made = AgentStreams(state, state, "router/a", beat_seconds=0.02)
    await made.start()
    yield made
    await made.stop(time.monotonic() + 5)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_stream_is_told_once_kept_alive_and_told_when_it_ends(streams, state):
    with streams.open(*ANN):
        with streams.open(*ANN):
            await until(lambda: state.told.count(("StreamHolderAlive", "")) > 2)
        assert state.held == {ANN: {streams.holder}}
    await until(lambda: state.held == {ANN: set()})
    assert [told for told in state.told if told[1]] == [("AgentStreamOpened", "ann"), ("AgentStreamClosed", "ann")]


async def test_an_agent_whom_the_directory_does_not_have_keeps_nothing_up(streams, state):
    with streams.open("acme", "ghost"), streams.open(*ANN):
        await until(lambda: state.told.count(("StreamHolderAlive", "")) > 1)
    assert ("AgentStreamOpened", "ghost") not in state.told


async def test_what_could_not_be_told_is_told_later(streams, state):
    state.away = True
    with streams.open(*ANN):
        await asyncio.sleep(0)
        state.away = False
        await until(lambda: state.held.get(ANN) == {streams.holder})


async def test_an_agent_who_is_here_and_taken_for_gone_is_told_again(streams, state):
    with streams.open(*ANN):
        await until(lambda: state.held.get(ANN) == {streams.holder})
        state.held[ANN] = set()
        lost = pb.AgentConnectionChanged(agent_id="ann", state=pb.CONNECTION_STATE_LOST)
        streams.entry(SimpleNamespace(tenant="acme", messages=[lost]))
        await until(lambda: state.held[ANN] == {streams.holder})


async def test_a_process_that_ends_says_so_for_all_its_agents(state):
    streams = AgentStreams(state, state, "router/a")
    await streams.start()
    with streams.open(*ANN), streams.open("acme", "bob"):
        await until(lambda: len(state.held) == 2)
        await streams.stop(time.monotonic() + 5)
        assert set().union(*state.held.values()) == set()


async def test_a_process_that_cannot_say_so_ends_all_the_same(state):
    streams = AgentStreams(state, state, "router/a")
    await streams.start()
    with streams.open(*ANN):
        await until(lambda: ANN in state.held)
        state.away = True
        await streams.stop(time.monotonic() + 0.2)
    assert state.held == {ANN: {streams.holder}}
