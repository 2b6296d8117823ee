"""An agent's stream of offers that breaks off, over gRPC and on a real Kafka."""

import asyncio
from contextlib import asynccontextmanager

from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2
from junctor.router.v1 import router_pb2 as pb


async def until(condition, seconds=20):
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def with_a_chat(place, grace_ms):
    """The router, and agent Ann with a stream of offers and a chat in hand."""
    await place.small_centre(agents=("ann",))
    await place.configure("self", tenant=directory_pb2.Tenant(connection_grace_ms=grace_ms))
    async with place.running() as router, place.client("agent", agent="ann") as ann:
        await ann.do("LogIn", state=pb.AGENT_STATE_READY)
        stream = await watch(ann)
        await until(lambda: is_(router, pb.CONNECTION_STATE_CONNECTED))
        await router.request("t1", channel=contact_pb2.CHANNEL_CHAT)
        await router.accept("t1")
        yield router, ann, stream
        stream.cancel()


async def watch(client, **more):
    stream = client.stub.WatchAgent(pb.WatchAgentRequest(tenant=client.tenant, agent_id="ann", **more))
    await stream.read()
    return stream


async def is_(router, connection):
    return (await router.agent("ann")).connection == connection


async def test_the_contact_goes_back_after_the_grace_and_the_agent_is_logged_out(place):
    async with with_a_chat(place, grace_ms=300) as (router, _, stream):
        arrived = (await router.task("t1")).arrived_at
        stream.cancel()

        async def back():
            return (await router.task("t1")).state == pb.TASK_STATE_QUEUED

        await until(back)
        assert (await router.task("t1")).arrived_at == arrived
        ann = await router.agent("ann")
        assert (ann.state, ann.reason) == (pb.AGENT_STATE_LOGGED_OUT, "connection_lost")


async def test_who_connects_again_within_the_grace_keeps_everything_and_misses_nothing(place):
    async with with_a_chat(place, grace_ms=60_000) as (router, ann, stream):
        stream.cancel()
        await until(lambda: is_(router, pb.CONNECTION_STATE_LOST))
        lost = await router.agent("ann")
        assert lost.lost_until > lost.since
        again = await watch(ann)
        await until(lambda: is_(router, pb.CONNECTION_STATE_CONNECTED))
        assert (await router.task("t1")).state == pb.TASK_STATE_ASSIGNED
        await router.request("t2", channel=contact_pb2.CHANNEL_CHAT)
        async with asyncio.timeout(10):
            while [task.contact_id for task in (await again.read()).agent.tasks] != ["t1", "t2"]:
                pass
        again.cancel()


async def test_a_supervisors_look_is_no_workspace_and_an_integrations_stream_can_be_one(place):
    await place.small_centre(agents=("ann",))
    async with place.running() as router, place.client("supervisor") as supervisor:
        looking = await watch(supervisor)
        own = await watch(router, presence=True)
        await until(lambda: is_(router, pb.CONNECTION_STATE_CONNECTED))
        own.cancel()
        await until(lambda: is_(router, pb.CONNECTION_STATE_UNSPECIFIED))
        looking.cancel()


async def test_a_drained_process_gives_its_agents_up_to_the_next_one(place):
    async with with_a_chat(place, grace_ms=60_000):
        pass
    async with place.running() as router, place.client("agent", agent="ann") as ann:
        assert await is_(router, pb.CONNECTION_STATE_LOST)
        stream = await watch(ann)
        await until(lambda: is_(router, pb.CONNECTION_STATE_CONNECTED))
        assert (await router.task("t1")).state == pb.TASK_STATE_ASSIGNED
        stream.cancel()
