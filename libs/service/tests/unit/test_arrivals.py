"""Which share of arrivals is sent to the other site, and who may say so."""

from types import SimpleNamespace

import pytest
from junctor.site.v1 import arrivals_pb2 as pb
from junctor_service.arrivals import STREAM, Arrivals, ArrivalServicer
from junctor_service.errors import Code, ServiceError


@pytest.mark.parametrize("percent", [0, 10, 50, 100])
def test_about_that_share_and_always_the_same_ones(percent):
    arrivals = Arrivals("b", lambda: percent, lambda site: True)
    keys = [f"call-{number}@phone" for number in range(5_000)]
    sent = [key for key in keys if arrivals.sent_to(key) == "b"]
    assert abs(len(sent) / len(keys) - percent / 100) < 0.02
    assert sent == [key for key in keys if arrivals.sent_to(key)]


def test_who_is_sent_away_stays_so_as_the_share_grows():
    few, many = (Arrivals("b", lambda p=p: p, lambda site: True) for p in (10, 60))
    assert all(many.sent_to(str(n)) for n in range(2_000) if few.sent_to(str(n)))


def test_nobody_is_sent_to_a_site_that_is_not_heard_or_is_not_there():
    assert Arrivals("b", lambda: 100, lambda site: False).sent_to("call") is None
    assert Arrivals(None, lambda: 100, lambda site: True).sent_to("call") is None


class Journal:
    def __init__(self):
        self.told, self.audited = [], []

    def fact(self, message, *, id, tenant, stream):
        return SimpleNamespace(message=message, id=id, tenant=tenant, stream=stream)

    async def tell(self, input):
        self.told.append(input)
        return SimpleNamespace(response=pb.SetArrivalShareResponse(previous_percent=20))

    def record(self, *arguments, **more):
        self.audited.append((arguments[0], more["target"]))


async def test_it_is_journalled_and_audited():
    journal = Journal()
    servicer = ArrivalServicer(Arrivals("b", lambda: 20, lambda site: True), journal, journal)
    answer = await servicer.SetArrivalShare(pb.SetArrivalShareRequest(request_id="r", percent=30), None)
    assert answer.previous_percent == 20
    (told,) = journal.told
    assert (told.tenant, told.stream, told.message.percent) == ("*", STREAM, 30)
    assert journal.audited == [("SetArrivalShare", "30 % to b")]
    assert (await servicer.GetArrivalShare(pb.GetArrivalShareRequest(), None)).percent == 20


async def test_what_is_no_share_or_has_nowhere_to_go_is_refused():
    journal = Journal()
    servicer = ArrivalServicer(Arrivals("b", lambda: 0, lambda site: True), journal, journal)
    with pytest.raises(ServiceError, match="0 to 100"):
        await servicer.SetArrivalShare(pb.SetArrivalShareRequest(request_id="r", percent=101), None)
    alone = ArrivalServicer(Arrivals(None, lambda: 0, lambda site: True), journal, journal)
    with pytest.raises(ServiceError, match="alone") as refusal:
        await alone.SetArrivalShare(pb.SetArrivalShareRequest(request_id="r", percent=10), None)
    assert refusal.value.code is Code.FAILED_PRECONDITION
    assert journal.told == []
