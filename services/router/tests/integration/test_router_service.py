"""The router as a gRPC service on a real Kafka."""

import asyncio

import pytest
from junctor.directory.v1 import directory_pb2
from junctor.router.v1 import router_pb2 as pb
from junctor_service.errors import Code, ServiceError, from_rpc_error


def kinds(messages):
    return [type(message).__name__ for message in messages]


async def refused(call):
    try:
        await call
    except ServiceError as error:
        return error
    except Exception as error:
        return from_rpc_error(error)
    raise AssertionError("it was not refused")


async def test_a_contact_is_offered_accepted_ended_and_completed(place):
    await place.small_centre()
    async with place.running() as router:
        session = await router.do("LogIn", agent_id="ann", state=pb.AGENT_STATE_READY)
        assert session.session == 1
        answer = await router.request("c1")
        assert (answer.state, answer.position) == (pb.TASK_STATE_RESERVED, 0)
        assert (await router.accept("c1")).contact_id == "c1"
        assert (await router.do("EndContact", contact_id="c1")).state == pb.TASK_STATE_WRAPPING
        await router.do("CompleteTask", contact_id="c1", agent_id="ann", disposition="sold")
        assert (await router.task("c1")).state == pb.TASK_STATE_COMPLETED
        ann = await router.agent("ann")
        assert (ann.state, ann.display_name, list(ann.tasks)) == (pb.AGENT_STATE_READY, "Ann", [])
        events = await place.events(lambda found: "TaskCompleted" in kinds(found))
    of_contact = [event for event in events if getattr(event, "contact_id", "") == "c1"]
    assert kinds(of_contact) == [
        "TaskQueued",
        "ReservationCreated",
        "ReservationAccepted",
        "TaskWrapping",
        "TaskCompleted",
    ]
    assert of_contact[1].device == "2ann"
    assert of_contact[-1].disposition == "sold"


async def test_the_same_request_has_the_same_answer_and_one_effect(place):
    await place.small_centre()
    async with place.running() as router:
        await router.do("LogIn", agent_id="ann", state=pb.AGENT_STATE_READY)
        answers = await asyncio.gather(*(router.request("c1", request_id="once") for _ in range(5)))
        assert {answer.state for answer in answers} == {pb.TASK_STATE_RESERVED}
        assert (await router.task("c1")).reservation_id.endswith(".1.1")


async def test_refusals_say_what_is_wrong(place):
    await place.small_centre()
    async with place.running() as router:
        error = await refused(router.request("c1", queue="nowhere"))
        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "QUEUE_UNKNOWN")
        assert "known are: sales" in error.message
        error = await refused(router.request("c1", requirements=["language.zh + 1 > 2"]))
        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "EXPRESSION_REFUSED")
        assert "column 1: arithmetic" in error.message
        assert (await refused(router.do("CancelTask", contact_id="ghost"))).code is Code.NOT_FOUND
        assert (await refused(router.do("LogIn", agent_id="ghost"))).code is Code.NOT_FOUND
        error = await refused(router.do("SetAgentState", agent_id="ann", state=pb.AGENT_STATE_READY))
        assert (error.code, error.reason, error.retryable) == (
            Code.FAILED_PRECONDITION,
            "AGENT_NOT_LOGGED_IN",
            False,
        )


async def test_an_agent_acts_for_themselves_only(place):
    await place.small_centre()
    async with place.running(), place.client("agent", agent="ann") as ann:
        await ann.do("LogIn", agent_id="ann", state=pb.AGENT_STATE_READY)
        assert (await refused(ann.do("LogIn", agent_id="bob"))).code is Code.PERMISSION_DENIED
        assert (await refused(ann.request("c1"))).code is Code.PERMISSION_DENIED


async def test_an_agents_stream_begins_with_a_snapshot_and_goes_on_after_a_position(place):
    await place.small_centre()
    async with place.running() as router:
        await router.do("LogIn", agent_id="ann", state=pb.AGENT_STATE_READY)
        stream = router.stub.WatchAgent(pb.WatchAgentRequest(tenant=place.tenant, agent_id="ann"))
        snapshot = await stream.read()
        assert (snapshot.agent.state, snapshot.HasField("event")) == (pb.AGENT_STATE_READY, False)
        await router.request("c1")
        offered = await asyncio.wait_for(stream.read(), 10)
        offer = pb.ReservationCreated()
        assert offered.event.Unpack(offer)
        assert (offer.contact_id, [task.contact_id for task in offered.agent.tasks]) == ("c1", ["c1"])
        stream.cancel()
        await router.accept("c1")
        again = router.stub.WatchAgent(pb.WatchAgentRequest(tenant=place.tenant, agent_id="ann", after_seq=offered.seq))
        accepted = await asyncio.wait_for(again.read(), 10)
        assert accepted.event.Is(pb.ReservationAccepted.DESCRIPTOR)
        again.cancel()


async def test_the_pool_stream_shows_queues_and_agents(place):
    await place.small_centre(agents=("ann",))
    async with place.running() as router:
        stream = router.stub.WatchPool(pb.WatchPoolRequest(tenant=place.tenant, interval_ms=50))
        first = await stream.read()
        assert [(queue.queue, queue.waiting) for queue in first.queues] == [("sales", 0)]
        await router.request("c1")
        async with asyncio.timeout(10):
            while (await stream.read()).queues[0].waiting != 1:
                pass
        await router.do("LogIn", agent_id="ann", state=pb.AGENT_STATE_READY)
        async with asyncio.timeout(10):
            while (view := await stream.read()).queues[0].offered != 1:
                pass
        assert (view.agents[0].display_name, view.queues[0].waiting) == ("Ann", 0)
        stream.cancel()


async def test_a_pool_stream_of_changes_tells_what_changed_and_resumes_after_a_position(place):
    await place.small_centre()
    async with place.running() as router:
        await router.do("LogIn", agent_id="ann")

        def watch(**more):
            return router.stub.WatchPool(pb.WatchPoolRequest(tenant=place.tenant, interval_ms=50, changes=True, **more))

        stream = watch()
        first = await stream.read()
        assert (first.complete, [agent.agent_id for agent in first.agents]) == (True, ["ann", "bob"])
        await router.do("LogIn", agent_id="bob", state=pb.AGENT_STATE_READY)
        async with asyncio.timeout(10):
            changed = await stream.read()
            while [agent.agent_id for agent in changed.agents] != ["bob"]:
                changed = await stream.read()
                assert not changed.complete
        stream.cancel()
        await router.do("SetAgentState", agent_id="ann", state=pb.AGENT_STATE_READY)
        again = watch(after_seq=changed.seq)
        resumed = await again.read()
        assert (resumed.complete, [agent.agent_id for agent in resumed.agents]) == (False, ["ann"])
        assert [queue.available_agents for queue in resumed.queues] == [2]
        again.cancel()


async def test_a_stream_about_one_queue(place):
    await place.small_centre(agents=())
    await place.configure("loans", queue=directory_pb2.Queue())
    async with place.running() as router:
        request = pb.WatchPoolRequest(tenant=place.tenant, interval_ms=50, queue="loans", changes=True)
        stream = router.stub.WatchPool(request)
        assert [queue.queue for queue in (await stream.read()).queues] == ["loans"]
        await router.request("c1")
        await router.request("c2", queue="loans")
        async with asyncio.timeout(10):
            changed = await stream.read()
        assert [(queue.queue, queue.waiting) for queue in changed.queues] == [("loans", 1)]
        stream.cancel()
        request.queue = "nowhere"
        error = await refused(router.stub.WatchPool(request).read())
        assert (error.code, error.reason) == (Code.NOT_FOUND, "QUEUE_UNKNOWN")


async def test_changed_configuration_reaches_contacts_in_line(place):
    await place.small_centre(agents=("ann",))
    async with place.running() as router:
        await router.do("LogIn", agent_id="ann", state=pb.AGENT_STATE_READY)
        answer = await router.request("c1", requirements=["product.loan >= 3"])
        assert answer.state == pb.TASK_STATE_QUEUED
        why = await router.stub.Explain(pb.ExplainRequest(tenant=place.tenant, contact_id="c1"), timeout=10)
        assert "Nobody who is logged in has the attribute product.loan." in why.reasons
        assert [(c.clause, c.matching, c.remaining) for c in why.steps[0].clauses] == [
            ("language.zh >= 5", 1, 1),
            ("product.loan >= 3", 0, 0),
        ]
        agent = directory_pb2.Agent(device="2ann", attributes={"language.zh": "7", "product.loan": "4"})
        await place.configure("ann", agent=agent)
        async with asyncio.timeout(10):
            while (await router.task("c1")).state != pb.TASK_STATE_RESERVED:
                await asyncio.sleep(0.02)


async def test_an_offer_that_nobody_answers_goes_to_another_agent(place):
    await place.small_centre(offer_timeout_ms=300)
    async with place.running() as router:
        await router.do("LogIn", agent_id="ann", state=pb.AGENT_STATE_READY)
        await router.request("c1")
        assert (await router.task("c1")).agent_id == "ann"
        await router.do("LogIn", agent_id="bob", state=pb.AGENT_STATE_READY)
        async with asyncio.timeout(10):
            while (await router.task("c1")).agent_id != "bob":
                await asyncio.sleep(0.02)
        await router.accept("c1")
        assert (await router.agent("ann")).state == pb.AGENT_STATE_NOT_RESPONDING


@pytest.mark.parametrize("restarts", [1])
async def test_a_restart_keeps_the_line_and_the_directory_is_not_told_again(place, restarts):
    await place.small_centre()
    async with place.running() as router:
        for number in range(3):
            await router.request(f"c{number}", arrived_at=1_000 + number)
    for _ in range(restarts):
        async with place.running() as router:
            assert [(await router.task(f"c{n}")).position for n in range(3)] == [1, 2, 3]
            await router.do("LogIn", agent_id="ann", state=pb.AGENT_STATE_READY)
            assert (await router.task("c0")).agent_id == "ann"
    events = await place.events(lambda found: "ReservationCreated" in kinds(found))
    assert kinds(events).count("ConfigurationApplied") == 5
