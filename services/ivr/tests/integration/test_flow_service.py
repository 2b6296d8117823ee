"""Flows on real Kafka: a call's way, crashes, refusals."""

import uuid

import pytest
from junctor.directory.v1 import directory_pb2 as directory
from junctor.ivr.v1 import ivr_pb2 as pb
from junctor_journal.log import TopicPartition
from junctor_service.client import rpc
from junctor_service.errors import Code, ServiceError, not_found

NUMBER = "+8613812345678"


def flow(queue="loans"):
    return directory.Flow(
        start="menu",
        nodes={
            "menu": directory.FlowNode(
                menu=directory.FlowMenu(
                    prompts=["welcome_menu"],
                    choices={"1": "region", "2": "bye"},
                    invalid_prompt="invalid",
                    no_input_prompt="no_input",
                    otherwise="bye",
                    store="choice",
                )
            ),
            "region": directory.FlowNode(
                decide=directory.FlowDecide(
                    branches=[
                        directory.FlowBranch(
                            when='data.caller_prefix == "+86138"', set={"region": "north"}, next="route"
                        )
                    ],
                    otherwise="bye",
                )
            ),
            "route": directory.FlowNode(
                route=directory.FlowRoute(queue=queue, requirements=["language.zh >= 3"], wait_prompt="please_wait")
            ),
            "bye": directory.FlowNode(hang_up=directory.FlowHangUp(prompts=["goodbye"])),
        },
    )


def start(place, slug="main", request_id=None):
    return pb.StartFlowRequest(
        request_id=request_id or f"start-{place.contact}",
        tenant="demo",
        contact_id=place.contact,
        flow=slug,
        data={"called_number": "4000", "language": "zh"},
        caller_number=NUMBER,
    )


def asked_for(place):
    return pb.GetFlowRequest(tenant="demo", contact_id=place.contact)


async def test_a_caller_presses_a_digit_and_is_routed(place):
    await place.flow("main", 4, flow())
    async with place.cti_running() as cti, place.running() as ivr:
        await rpc(ivr.StartFlow(start(place)))
        verb = await cti.asked()
        assert (
            verb.contact_id,
            list(verb.prompts),
            verb.language,
            verb.max_digits,
            verb.timeout_ms,
            verb.barge_in,
        ) == (
            place.contact,
            ["welcome_menu"],
            "zh",
            1,
            5_000,
            True,
        )
        running = await rpc(ivr.GetFlow(asked_for(place)))
        assert (running.flow, running.version, running.node, running.verb_id) == ("main", 4, "menu", verb.verb_id)

        await place.flow("main", 5, flow(queue="another"))
        await rpc(ivr.StartFlow(start(place)))
        await rpc(ivr.StartFlow(start(place, request_id=str(uuid.uuid4()))))
        await place.verb_ended(verb.verb_id, "digits", "9")
        again = await cti.asked(2)
        assert list(again.prompts) == ["invalid", "welcome_menu"]
        assert again.request_id != verb.request_id
        await place.verb_ended(again.verb_id, "digits", "1")

        found = await place.events(pb.FlowEnded)
        assert [event.type.rpartition(".")[2] for event in found] == [
            "FlowStarted",
            "FlowNodeEntered",
            "PromptRequested",
            "PromptRequested",
            "FlowNodeEntered",
            "FlowNodeEntered",
            "FlowEnded",
        ]
        ended = found[-1].message
        assert (ended.result, ended.queue, list(ended.requirements), ended.wait_prompt) == (
            pb.FLOW_RESULT_ROUTE,
            "loans",
            ["language.zh >= 3"],
            "please_wait",
        )
        assert dict(ended.data) == {
            "called_number": "4000",
            "language": "zh",
            "caller_prefix": "+86138",
            "choice": "1",
            "region": "north",
        }
        assert {event.correlation_id for event in found} == {place.contact}
        over = await rpc(ivr.GetFlow(asked_for(place)))
        assert (over.node, over.result) == ("", pb.FLOW_RESULT_ROUTE)
        assert len(cti.requests) == 2

    await nothing_holds(place, b"12345678")


async def nothing_holds(place, secret):
    """No record of the service's topics has these bytes."""
    for topic in ("junctor.ivr.inputs.v1", "junctor.ivr.journal.v1", "junctor.ivr.events.v1"):
        tps = [TopicPartition(topic, n) for n in range(await place.log.partitions(topic))]
        begin, end = await place.log.begin_offsets(tps), await place.log.end_offsets(tps)
        tail = await place.log.tail(begin)
        read = 0
        while read < sum(end.values()) - sum(begin.values()):
            for records in (await tail.getmany(timeout_ms=1_000)).values():
                read += len(records)
                assert not [record for record in records if secret in (record.value or b"")]
        await tail.close()
        assert read


async def test_a_verb_is_asked_for_again_after_a_crash_under_the_same_id(place):
    await place.flow("main", 1, flow())
    async with place.running() as ivr:
        await rpc(ivr.StartFlow(start(place)))
    async with place.cti_running() as cti, place.running():
        verb = await cti.asked()
        assert verb.contact_id == place.contact
    async with place.cti_running() as cti, place.running() as ivr:
        again = await cti.asked(2)
        assert again.request_id == verb.request_id
        await place.verb_ended(verb.verb_id, "hang_up")
        found = await place.events(pb.FlowEnded)
        assert found[-1].message.result == pb.FLOW_RESULT_ABANDONED


async def test_a_call_that_cti_does_not_know_ends_the_flow(place):
    await place.flow("main", 1, flow())
    async with place.cti_running() as cti, place.running() as ivr:
        cti.refusal = not_found("There is no such call.")
        await rpc(ivr.StartFlow(start(place)))
        found = await place.events(pb.FlowEnded)
        assert found[-1].message.result == pb.FLOW_RESULT_FAILED
        assert found[-1].message.reason == "the media verb menu.1 failed"


async def test_a_stopped_flow_is_abandoned(place):
    await place.flow("main", 1, flow())
    async with place.cti_running() as cti, place.running() as ivr:
        await rpc(ivr.StartFlow(start(place)))
        await cti.asked()
        stop = pb.StopFlowRequest(request_id="s", tenant="demo", contact_id=place.contact, cause="bye")
        await rpc(ivr.StopFlow(stop))
        found = await place.events(pb.FlowEnded)
        assert (found[-1].message.result, found[-1].message.reason) == (pb.FLOW_RESULT_ABANDONED, "bye")


async def test_what_cannot_be_run_is_refused(place):
    broken = flow()
    broken.nodes["region"].decide.branches[0].when = "data.x =="
    await place.flow("broken", 1, broken)
    async with place.running() as ivr:
        await refused(ivr.StartFlow(start(place, "none")), Code.NOT_FOUND, "The tenant has no flow none.")
        await refused(
            ivr.StartFlow(start(place, "broken")),
            Code.FAILED_PRECONDITION,
            "node region: 'data.x ==', column 8: it is not valid CEL",
        )
        await refused(ivr.StartFlow(start(place, "")), Code.INVALID_ARGUMENT, "A flow must be named.")
        await refused(ivr.GetFlow(asked_for(place)), Code.NOT_FOUND, "no flow that runs or has just ended")
        nobody = pb.StopFlowRequest(request_id="x", tenant="demo")
        await refused(ivr.StopFlow(nobody), Code.INVALID_ARGUMENT, "A contact must be named.")


async def test_people_may_look_but_not_start(place):
    await place.flow("main", 1, flow())
    async with place.running(role="supervisor") as ivr:
        await refused(ivr.StartFlow(start(place)), Code.PERMISSION_DENIED, "")
        await refused(ivr.GetFlow(asked_for(place)), Code.NOT_FOUND, "")


async def refused(call, code, says):
    with pytest.raises(ServiceError) as refusal:
        await rpc(call)
    assert refusal.value.code is code
    assert says in refusal.value.message
    assert not refusal.value.retryable
