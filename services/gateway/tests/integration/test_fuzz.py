"""Made-up requests, by seed: whatever a body holds, the answer is 200 or a 4xx problem, never a 5xx."""

import json
import random

import pytest
from google.protobuf.json_format import ParseDict
from junctor_gateway.application.catalogue import methods
from junctor_service.errors import ServiceError

ODD = [
    None, True, False, 0, -1, 1, 2**31, 2**32, 2**63, 2**64, -(2**63) - 1, 1.5, 1e308, -0.0, "", "0", "-1", "1e5", "NaN",
    "Infinity", "true", "x" * 3000, "\ud800", "\x00", "李雷", "c3Ry", "!!", [], {}, [[]], [None], {"": 1}, {"@type": "x"},
    {"@type": "type.googleapis.com/junctor.router.v1.Task"}, [{}], {"a": {"b": [1, {"c": None}]}},
]  # fmt: skip


def right(field, chance, depth):
    """A value that fits the field."""
    kinds = type(field)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        return {chance.choice(["a", "b", ""]): single(inner, chance, depth) for _ in range(chance.randrange(3))}
    if field.is_repeated:
        return [single(field, chance, depth) for _ in range(chance.randrange(3))]
    return single(field, chance, depth) if field.cpp_type != kinds.CPPTYPE_MESSAGE or depth < 6 else {}


def single(field, chance, depth):
    kinds = type(field)
    match field.cpp_type:
        case kinds.CPPTYPE_MESSAGE:
            return body_of(field.message_type, chance, depth + 1) if depth < 6 else {}
        case kinds.CPPTYPE_ENUM:
            value = chance.choice(list(field.enum_type.values))
            return chance.choice([value.name, value.number])
        case kinds.CPPTYPE_BOOL:
            return chance.choice([True, False])
        case kinds.CPPTYPE_STRING:
            return (
                chance.choice(["", "c3Ry", "YWJj"])
                if field.type == kinds.TYPE_BYTES
                else chance.choice(["a", "", "李"])
            )
        case _:
            return chance.choice([0, 1, "7"])


def body_of(descriptor, chance, depth=0):
    chosen, body = set(), {}
    for field in descriptor.fields:
        oneof = field.containing_oneof
        if chance.random() < 0.4 or (oneof is not None and oneof.name in chosen):
            continue
        if oneof is not None:
            chosen.add(oneof.name)
        body[chance.choice([field.name, field.json_name])] = right(field, chance, depth)
    return body


def spoilt(value, chance):
    """The value with one thing in it changed."""
    if isinstance(value, dict) and value and chance.random() < 0.7:
        name = chance.choice(list(value))
        return value | {name: spoilt(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.7:
        return [spoilt(value[0], chance), *value[1:]]
    if isinstance(value, dict) and chance.random() < 0.3:
        return value | {chance.choice(["nothing", "tenant", "request_id", "@type", ""]): chance.choice(ODD)}
    return chance.choice(ODD)


@pytest.mark.parametrize("seed", range(4))
async def test_no_body_makes_a_server_error(gateway_before_all, seed):
    gateway = gateway_before_all
    chance = random.Random(seed)
    unary = [method for method in methods() if not method.streams]
    statuses = {}
    service = {"authorization": f"Bearer {gateway.token(tenant='*', roles=['service'])}", "x-junctor-tenant": "acme"}
    for n in range(120):
        method = chance.choice(unary)
        body = body_of(method.request.DESCRIPTOR, chance)
        if n % 3:
            body = spoilt(body, chance)
        content = json.dumps(body).encode()
        if n % 10 == 9:
            place = chance.randrange(len(content))
            content = content[:place] + chance.randbytes(3) + content[place + 2 :]
        chosen = service if chance.random() < 0.5 else {}
        headers = {"content-type": "application/json", **chosen}
        answer = await gateway.http.post(method.http_path, content=content, headers=headers)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code in {200, 400, 403}, (method.http_path, content, answer.text)
        if answer.status_code != 200:
            assert answer.json()["detail"], content
    assert statuses[200] > 5
    assert statuses[400] > 20


@pytest.mark.parametrize("seed", range(4))
def test_the_check_and_protobuf_agree(seed):
    """What the check lets pass, protobuf parses; what fits, the check lets pass."""
    from junctor_gateway.application.json_messages import from_json

    chance = random.Random(1000 + seed)
    passed = refused = 0
    for n in range(1500):
        message_class = chance.choice(methods()).request
        fits = body_of(message_class.DESCRIPTOR, chance)
        body = fits if n % 2 else spoilt(fits, chance)
        try:
            message = from_json(json.dumps(body).encode(), message_class)
        except ServiceError as error:
            assert n % 2 == 0, (body, error)
            assert all(violation.description for violation in error.fields)
            assert not error.message.startswith("The body is not a "), (body, error)
            refused += 1
        else:
            passed += 1
            assert message == ParseDict(body, message_class())
    assert passed > 700
    assert refused > 200
