"""Each fault of a JSON request is told with its field and what was expected."""

import base64

import pytest
from google.protobuf import json_format
from junctor.directory.v1 import directory_pb2
from junctor.recording.v1 import recording_pb2
from junctor.router.v1 import router_pb2
from junctor_gateway.application.json_messages import from_json, from_query, to_json
from junctor_service.errors import Code, ServiceError

REFUSED = [
    (b'{"queu": "a"}', "queu", "RequestTaskRequest has no such field; it has arrivedAt, channel,"),
    (b'{"queue": 5}', "queue", "It is a number; expected a string."),
    (b'{"queue": ["a"]}', "queue", "It is a list; expected a string."),
    (b'{"queue": "\\ud800"}', "queue", "It holds half of a surrogate pair"),
    (b'{"channel": "CHANNEL_FAX"}', "channel", "It is no value of Channel; expected one of CHANNEL_UNSPECIFIED,"),
    (b'{"channel": 99}', "channel", "It is no value of Channel"),
    (b'{"channel": true}', "channel", "It is no value of Channel"),
    (b'{"priority": -1}', "priority", "It is out of range; expected an integer from 0 to 4294967295."),
    (b'{"priority": 1.5}', "priority", "It is a number; expected an integer"),
    (b'{"priority": true}', "priority", "It is a truth value; expected an integer"),
    (b'{"priority": "1e3"}', "priority", "It is a string; expected an integer"),
    (b'{"arrivedAt": "9223372036854775808"}', "arrivedAt", "It is out of range"),
    (b'{"arrived_at": 1, "arrivedAt": 1}', "arrivedAt", "The same field is given as arrived_at too."),
    (b'{"requirements": "x"}', "requirements", "It is a string; expected a list."),
    (b'{"requirements": ["x", 1]}', "requirements[1]", "It is a number; expected a string."),
    (b'{"requirements": ["x", null]}', "requirements[1]", "It is null; null may stand for a whole field only."),
    (b'{"data": {"a": 1}}', "data['a']", "It is a number; expected a string."),
    (b'{"data": []}', "data", "It is a list; expected an object."),
    (b"[]", "", "It is a list; expected an object (RequestTaskRequest)."),
    (b"{", "", "The body is not JSON: Expecting property name enclosed in double quotes at line 1, column 2."),
    (b'{"queue": "a", "queue": "b"}', "", "The body is not JSON: the name 'queue' is given twice in one object."),
    (b'{"priority": NaN}', "", "The body is not JSON: NaN is not JSON."),
    (b"\xff", "", "The body is not JSON: it is not UTF-8 at byte 0."),
    (b"[" * 100_000, "", "The body is not JSON: it is nested too deeply."),
    (b'{"priority": ' + b"9" * 5000 + b"}", "", "The body is not JSON:"),
]


@pytest.mark.parametrize(("body", "field", "sentence"), REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_refused(body, field, sentence):
    with pytest.raises(ServiceError) as refused:
        from_json(body, router_pb2.RequestTaskRequest)
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert not refused.value.retryable
    violation = refused.value.fields[0]
    assert violation.field == field
    assert violation.description.startswith(sentence)
    assert refused.value.message.startswith(f"{field}: " if field else sentence[:5])


def test_all_faults_are_told_up_to_twenty():
    with pytest.raises(ServiceError) as refused:
        from_json(b'{"queue": 1, "contactId": 2, "nothing": 3}', router_pb2.RequestTaskRequest)
    assert [violation.field for violation in refused.value.fields] == ["queue", "contactId", "nothing"]
    assert refused.value.message.endswith("(2 more)")
    many = "{" + ",".join(f'"f{n}": 1' for n in range(100)) + "}"
    with pytest.raises(ServiceError) as refused:
        from_json(many.encode(), router_pb2.RequestTaskRequest)
    assert len(refused.value.fields) == 20


def test_nested_messages_and_choices():
    oneof = directory_pb2.Value.DESCRIPTOR.oneofs_by_name["kind"]
    first, second = (field.json_name for field in oneof.fields[:2])
    body = f'{{"values": [{{"{first}": {{}}, "{second}": {{}}}}]}}'.encode()
    with pytest.raises(ServiceError) as refused:
        from_json(body, directory_pb2.ApplyConfigurationRequest)
    assert refused.value.fields[0].field == f"values[0].{second}"
    assert refused.value.fields[0].description == f"Only one of a choice may be given; {first} is given too."


def test_what_the_mapping_allows_is_allowed():
    body = b'{"request_id": "r", "contactId": null, "priority": "3", "arrivedAt": 1700000000000.0, "channel": 1}'
    message = from_json(body, router_pb2.RequestTaskRequest)
    assert (message.request_id, message.contact_id, message.priority, message.arrived_at, message.channel) == (
        "r", "", 3, 1_700_000_000_000, 1,
    )  # fmt: skip
    data = base64.urlsafe_b64encode(b"\xfb\xff").decode().rstrip("=")
    assert from_json(f'{{"data": "{data}"}}'.encode(), recording_pb2.FetchAudioResponse).data == b"\xfb\xff"
    assert from_json(b"", router_pb2.GetTaskRequest) == router_pb2.GetTaskRequest()


def test_there_and_back():
    task = router_pb2.Task(contact_id="c", state="TASK_STATE_QUEUED", arrived_at=2**53 + 1, estimated_wait_ms=-1)
    written = to_json(task)
    assert written["arrivedAt"] == str(2**53 + 1)
    assert written["position"] == 0
    assert json_format.ParseDict(written, router_pb2.Task()) == task


def test_query_parameters():
    pairs = [("contact_id", "c"), ("requirements", "a"), ("requirements", "b"), ("channel", "CHANNEL_VOICE")]
    message = from_query([*pairs, ("arrivedAt", "17")], router_pb2.RequestTaskRequest)
    assert (message.contact_id, list(message.requirements), message.channel, message.arrived_at) == (
        "c",
        ["a", "b"],
        1,
        17,
    )
    assert from_query([("dry_run", "true")], directory_pb2.ApplyConfigurationRequest).dry_run
    for bad, field in [
        ([("x", "1")], "x"),
        ([("queue", "a"), ("queue", "b")], "queue"),
        ([("data", "a")], "data"),
        ([("queue.a", "a")], "queue.a"),
        ([("priority", "many")], "priority"),
    ]:
        with pytest.raises(ServiceError) as refused:
            from_query(bad, router_pb2.RequestTaskRequest)
        assert refused.value.fields[0].field == field
