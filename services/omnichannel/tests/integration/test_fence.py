"""The fence against a router's earlier site epoch outlives the process that saw the later one."""

from junctor.journal.v1 import journal_pb2
from junctor.omnichannel.v1 import omnichannel_pb2 as pb
from junctor.router.v1 import router_pb2
from junctor_service.client import rpc


def accepted(customer, reservation, agent):
    return router_pb2.ReservationAccepted(
        contact_id=customer.contact_id, reservation_id=reservation, agent_id=agent, edge="omnichannel/a"
    )


async def test_what_an_earlier_site_epoch_decided_joins_nobody_after_a_restart_either(site):
    first = await site.process()
    async with site.customer(first) as before:
        await before.hears("bot")
        await before.say("a loan please")
        began = journal_pb2.EpochStarted(epoch=journal_pb2.Epoch(site_epoch=2), previous_site_epoch=1)
        await site.router_says(began, site_epoch=2)
        await site.until(lambda: site.asked(site.router.requested, before))
        await site.router_says(accepted(before, "demo.p.2.1.1", "alice"), site_epoch=2)
        await before.until(lambda: "with_agent" in before.states)
    await first.kill()
    second = await site.process()
    async with site.customer(second) as customer:
        await customer.hears("bot")
        await customer.say("a loan please")
        await site.until(lambda: site.asked(site.router.requested, customer))
        await site.router_says(accepted(customer, "demo.p.1.9.1", "bob"), site_epoch=1)
        await site.router_says(
            router_pb2.TaskCanceled(contact_id=customer.contact_id, edge="omnichannel/a"), site_epoch=1
        )
        await site.router_says(accepted(customer, "demo.p.2.2.1", "carol"), site_epoch=2)
        await customer.until(lambda: "with_agent" in customer.states)
        async with site.agent(second, "carol") as agent:
            asked = pb.GetConversationRequest(contact_id=customer.contact_id)
            conversation = (await rpc(agent.GetConversation(asked, timeout=30))).conversation
    assert conversation.agent_id == "carol"
    joined = "An agent has joined the conversation."
    assert [message.text for message in conversation.messages].count(joined) == 1, "bob never had it"


async def test_a_chat_whose_acceptance_the_new_leader_does_not_know_is_in_line_again(site):
    process = await site.process()
    site.router.in_line = True
    async with site.customer(process) as customer:
        await customer.hears("bot")
        await customer.say("a loan please")
        await site.until(lambda: site.asked(site.router.requested, customer))
        await site.router_says(accepted(customer, "demo.p.1.1.1", "alice"), site_epoch=1)
        await customer.until(lambda: "with_agent" in customer.states)
        told = len(customer.states)
        began = journal_pb2.EpochStarted(epoch=journal_pb2.Epoch(site_epoch=2), previous_site_epoch=1)
        await site.router_says(began, site_epoch=2)
        await customer.until(lambda: "queued" in customer.states[told:])
        requests = site.asked(site.router.requested, customer)
        assert len({request.request_id for request in requests}) == 2
        assert len({request.arrived_at for request in requests}) == 1
        await site.router_says(accepted(customer, "demo.p.2.1.1", "carol"), site_epoch=2)
        await customer.until(lambda: "with_agent" in customer.states[told:])
