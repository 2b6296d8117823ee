"""The router's process is killed with contacts in line and offers open: nothing is lost, nothing happens twice."""

import asyncio
from collections import Counter

import pytest
from junctor.router.v1 import router_pb2 as pb
from junctor_service.errors import ServiceError, from_rpc_error

CONTACTS = 12
AGENTS = tuple(f"agent{n}" for n in range(4))


async def patient(call):
    """Repeats a call until it is answered: with the same request id nothing is done twice."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await call()
            except Exception as error:
                found = error if isinstance(error, ServiceError) else from_rpc_error(error)
                if not found.retryable:
                    raise
                await asyncio.sleep(0.1)


async def test_nothing_is_lost_or_done_twice_when_the_process_is_killed(place, kill_process):
    await place.small_centre(agents=AGENTS, wrap_up_ms=0)
    process = kill_process(await place.spawn())
    async with place.client() as router:
        for agent in AGENTS:
            message = pb.LogInRequest(
                tenant=place.tenant, request_id=f"in-{agent}", agent_id=agent, state=pb.AGENT_STATE_READY
            )
            await patient(lambda m=message: router.stub.LogIn(m, timeout=5))
        requests = [
            asyncio.create_task(patient(lambda n=n: router.request(f"c{n}", request_id=f"r{n}", arrived_at=1_000 + n)))
            for n in range(CONTACTS)
        ]
        await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
        await kill_process.now(process)
        process = kill_process(await place.spawn())
        await asyncio.gather(*requests)
        done = set()
        async with asyncio.timeout(90):
            while len(done) < CONTACTS:
                for n in range(CONTACTS):
                    contact = f"c{n}"
                    task = await patient(lambda c=contact: router.task(c))
                    if task.state == pb.TASK_STATE_RESERVED:
                        accept = pb.AcceptReservationRequest(
                            tenant=place.tenant,
                            request_id=f"a-{task.reservation_id}",
                            agent_id=task.agent_id,
                            reservation_id=task.reservation_id,
                            contact_id=contact,
                        )
                        await patient(lambda m=accept: router.stub.AcceptReservation(m, timeout=5))
                        if n == CONTACTS // 2:
                            await kill_process.now(process)
                            process = kill_process(await place.spawn())
                        end = pb.EndContactRequest(tenant=place.tenant, request_id=f"e{n}", contact_id=contact)
                        await patient(lambda m=end: router.stub.EndContact(m, timeout=5))
                        done.add(contact)
    events = await place.events(lambda found: sum(isinstance(event, pb.TaskCompleted) for event in found) == CONTACTS)
    queued = Counter(event.contact_id for event in events if isinstance(event, pb.TaskQueued))
    accepted = Counter(event.contact_id for event in events if isinstance(event, pb.ReservationAccepted))
    completed = Counter(event.contact_id for event in events if isinstance(event, pb.TaskCompleted))
    expected = dict.fromkeys((f"c{n}" for n in range(CONTACTS)), 1)
    assert (queued, accepted, completed) == (expected, expected, expected)


@pytest.fixture
async def kill_process():
    """Registers processes and kills them, at the latest at the test's end."""
    processes = []

    def register(process):
        processes.append(process)
        return process

    async def now(process):
        if process.returncode is None:
            process.kill()
            await process.wait()

    register.now = now
    yield register
    for process in processes:
        await now(process)
