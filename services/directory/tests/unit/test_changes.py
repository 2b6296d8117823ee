"""Changing a configuration: checked in a thread of its own, and what stood before is not checked again."""

import asyncio

import pytest
from junctor.directory.v1 import directory_pb2 as pb
from junctor.journal.v1 import journal_pb2
from junctor_directory.application import changes as changes_module
from junctor_directory.application.changes import Changes
from junctor_directory.application.fold import DirectoryFold
from junctor_service.errors import ServiceError


class Log:
    """The log's rule without Kafka: one input after the other through the fold."""

    def __init__(self) -> None:
        self.fold = DirectoryFold()

    async def apply(self, request, *, stream, correlation_id="", answer=None):
        await asyncio.sleep(0)
        made = self.fold.apply(journal_pb2.Input(tenant=request.tenant, stream=stream, principal="ann"), request, 1)
        assert made.refusal is None
        return made.response


def agents(*ids, request_id="r"):
    values = [pb.Value(id=id, agent=pb.Agent(name=id)) for id in ids]
    return pb.ApplyConfigurationRequest(tenant="demo", request_id=request_id, values=values)


@pytest.fixture
def log():
    return Log()


async def test_others_go_on_while_a_configuration_is_checked(log):
    going = Changes(log.fold.get, log, ())
    dry_run = agents(*(f"a{n}" for n in range(300)))
    dry_run.dry_run = True
    checking = asyncio.create_task(going.apply(dry_run))
    await asyncio.sleep(0)
    assert not checking.done()
    assert len((await checking).changes) == 300


async def test_what_stood_before_is_checked_once(log, monkeypatch):
    sizes = []

    def counted(values, prompts):
        sizes.append(len(values))
        return check(values, prompts)

    check = changes_module.check
    monkeypatch.setattr(changes_module, "check", counted)
    going = Changes(log.fold.get, log, ())
    for n in range(4):
        assert (await going.apply(agents(f"a{n}", request_id=f"r{n}"))).revision == n + 1
    assert sizes == [0, 1, 2, 3, 4]


async def test_an_old_problem_stays_old_after_a_change(log):
    bad = pb.Value(id="loans", queue=pb.Queue(plan="nowhere"))
    log.fold.apply(
        journal_pb2.Input(tenant="demo", stream="directory"),
        pb.ApplyConfigurationRequest(tenant="demo", request_id="old", values=[bad]),
        1,
    )
    going = Changes(log.fold.get, log, ())
    await going.apply(agents("a1", request_id="r1"))
    await going.apply(agents("a2", request_id="r2"))
    with pytest.raises(ServiceError, match="nowhere2"):
        await going.apply(
            pb.ApplyConfigurationRequest(
                tenant="demo", request_id="r3", values=[pb.Value(id="cards", queue=pb.Queue(plan="nowhere2"))]
            )
        )
