"""The share of arrivals that is sent to the other site is in the journal's fold, and in what is kept of it."""

from junctor.journal.v1 import journal_pb2
from junctor.site.v1 import arrivals_pb2 as pb
from junctor_omnichannel.application.mapping import new_fold
from junctor_service.arrivals import STREAM
from junctor_service.tokens import EVERY_TENANT


def told(fold, percent):
    input = journal_pb2.Input(tenant=EVERY_TENANT, stream=STREAM)
    return fold.apply(input, pb.SetArrivalShareRequest(request_id="r", percent=percent), 1_000)


def test_it_is_kept_answered_and_told():
    fold = new_fold()
    assert fold.get(EVERY_TENANT, STREAM) is None
    assert told(fold, 30).response == pb.SetArrivalShareResponse(previous_percent=0)
    done = told(fold, 50)
    assert done.response == pb.SetArrivalShareResponse(previous_percent=30)
    assert done.events == [pb.ArrivalShareChanged(tenant="*", percent=50)]
    again = new_fold()
    again.load(fold.dump())
    assert again.get(EVERY_TENANT, STREAM).away_percent == 50
