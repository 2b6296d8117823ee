"""Errors keep all that they say on the way to another service."""

import pytest
from google.rpc import error_details_pb2, status_pb2
from junctor_service.errors import Code, FieldViolation, ServiceError, invalid, not_found, precondition, unavailable


@pytest.mark.parametrize(
    "error",
    [
        invalid("Wrong.", FieldViolation("a.b", "It is empty."), reason="EMPTY"),
        not_found("None."),
        precondition("Not now.", reason="NOT_READY"),
        unavailable("Away.", retry_after=2.5),
        ServiceError(Code.FAILED_PRECONDITION, "Later.", retryable=True, metadata={"seq": "5"}),
        ServiceError(Code.UNAVAILABLE, "Never.", retryable=False),
    ],
)
def test_an_error_survives_the_way(error):
    wire = error.to_status().SerializeToString()
    read = ServiceError.from_status(status_pb2.Status.FromString(wire))
    names = ("code", "message", "reason", "retryable", "retry_after", "fields", "metadata")
    assert {n: getattr(read, n) for n in names} == {n: getattr(error, n) for n in names}


def test_the_domain_is_ours_and_retry_info_is_there_exactly_when_a_retry_helps():
    kinds = [detail.type_url.rpartition(".")[2] for detail in unavailable("Away.").to_status().details]
    assert kinds == ["ErrorInfo", "RetryInfo"]
    info = error_details_pb2.ErrorInfo()
    not_found("None.").to_status().details[0].Unpack(info)
    assert (info.domain, info.reason) == ("junctor", "NOT_FOUND")
    assert len(not_found("None.").to_status().details) == 1


def test_a_status_of_others_is_read_by_its_code():
    assert ServiceError.from_status(status_pb2.Status(code=14, message="x")).retryable
    assert ServiceError.from_status(status_pb2.Status(code=99, message="x")).code is Code.UNKNOWN
