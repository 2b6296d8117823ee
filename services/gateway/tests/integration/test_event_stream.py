"""Streams as server-sent events: ids, resuming, quiet, failures, drain, and a client that goes away."""

import asyncio
import json
import time

import httpx
import pytest
from junctor_service.errors import precondition

WATCH = "/v1/router/WatchAgent"


class Events:
    """A reader of server-sent events, written from the standard's algorithm."""

    def __init__(self, response):
        self.response = response
        self.lines = response.aiter_lines()
        self.comments = []
        self.last_id = ""
        self.retry = None

    async def next(self):
        kind, data = "message", []
        async for line in self.lines:
            if line == "":
                if data:
                    return kind, json.loads("\n".join(data))
                kind = "message"
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "":
                    self.comments.append(value)
                case "data":
                    data.append(value)
                case "event":
                    kind = value
                case "id":
                    self.last_id = value
                case "retry":
                    self.retry = int(value)
        return None


async def test_events_have_ids_and_are_resumed_after_them(gateway):
    gateway.router.changes = [(3, 7), (3, 9), (3, 12)]
    async with gateway.http.stream("GET", WATCH, params={"agent_id": "ann"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = Events(response)
        kind, first = await events.next()
        assert kind == "message"
        assert first["seq"] == "7"
        assert first["agent"]["displayName"] == "李雷"
        assert first["event"]["@type"] == "type.googleapis.com/junctor.router.v1.AgentStateChanged"
        await events.next()
        assert events.last_id == "3:9"
    headers = {"last-event-id": events.last_id}
    async with gateway.http.stream("POST", WATCH, json={"agentId": "ann"}, headers=headers) as response:
        events = Events(response)
        assert (await events.next())[1]["seq"] == "12"
        assert events.last_id == "3:12"
    assert [request.after_seq for request in gateway.router.asked] == [0, 9]
    await until(lambda: gateway.router.ended == 2)


async def test_conversations_resume_after_a_message(gateway):
    async def read(headers):
        found = []
        async with gateway.http.stream(
            "GET", "/v1/omnichannel/WatchConversation", params={"contact_id": "c"}, headers=headers
        ) as response:
            events = Events(response)
            while (event := await events.next()) is not None:
                found.append((events.last_id, (event[1].get("message") or {}).get("text")))
        return found

    assert await read({}) == [("", None), ("0:1", "第1句"), ("0:2", "第2句"), ("0:3", "第3句")]
    assert await read({"last-event-id": "0:2"}) == [("", None), ("0:3", "第3句")]


async def test_a_stream_of_whole_states_begins_again_with_one(gateway):
    ids = []
    for last in ("", "0:41"):
        headers = {"last-event-id": last} if last else {}
        async with gateway.http.stream("GET", "/v1/router/WatchPool", headers=headers) as response:
            events = Events(response)
            await events.next()
            ids.append(events.last_id)
    assert ids == ["0:41", "0:42"]


async def test_a_bad_last_event_id_is_refused(gateway):
    for bad in ("12", "a:b", "1:2:3", "-1:2"):
        answer = await gateway.http.get(WATCH, params={"agent_id": "a"}, headers={"last-event-id": bad})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Last-Event-ID")


async def test_quiet_streams_get_comments(gateway):
    async with gateway.http.stream("GET", WATCH, params={"agent_id": "ann"}) as response:
        assert response.status_code == 200
        lines = response.aiter_lines()
        seen = [await anext(lines) for _ in range(5)]
        assert seen == [": open", "", ": quiet", "", ": quiet"]
    await until(lambda: gateway.router.ended == 1)


async def test_a_refusal_before_the_first_response_is_a_problem(gateway):
    gateway.router.error = precondition("The agent has no session.", reason="NO_SESSION")
    answer = await gateway.http.get(WATCH, params={"agent_id": "ann"})
    assert (answer.status_code, answer.json()["reason"]) == (400, "NO_SESSION")
    agent = {"authorization": f"Bearer {gateway.token(roles=['analyst'])}"}
    answer = await gateway.http.get(WATCH, params={"agent_id": "ann"}, headers=agent)
    assert (answer.status_code, answer.json()["reason"]) == (403, "WRONG_ROLE")


async def test_a_failure_later_is_the_last_event(gateway):
    gateway.router.changes = [(0, 1)]
    gateway.router._note = gateway.router.asked.append
    gateway.router.error = precondition("The session was replaced.", reason="SESSION_REPLACED")
    async with gateway.http.stream("GET", WATCH, params={"agent_id": "ann"}) as response:
        events = Events(response)
        assert (await events.next())[1]["seq"] == "1"
        kind, problem = await events.next()
        assert (kind, problem["reason"], problem["retryable"]) == ("problem", "SESSION_REPLACED", False)
        assert await events.next() is None


async def test_a_drain_ends_streams_so_that_they_come_again(gateway):
    gateway.router.changes = [(2, 5)]
    async with gateway.http.stream("GET", WATCH, params={"agent_id": "ann"}) as response:
        events = Events(response)
        await events.next()
        began = time.monotonic()
        stopping = asyncio.create_task(gateway.service.stop(time.monotonic() + 5))
        kind, problem = await events.next()
        assert (kind, problem["reason"], problem["retryable"]) == ("problem", "DRAINING", True)
        assert events.retry == 500
        assert await events.next() is None
    await asyncio.wait_for(stopping, 5)
    assert time.monotonic() - began < 3


async def test_a_service_that_goes_away_is_told(gateway):
    gateway.router.changes = [(2, 5)]
    async with gateway.http.stream("GET", WATCH, params={"agent_id": "ann"}) as response:
        events = Events(response)
        await events.next()
        stopping = asyncio.create_task(gateway.behind.stop(time.monotonic() + 2))
        kind, problem = await events.next()
        assert (kind, problem["code"], problem["retryable"]) == ("problem", "UNAVAILABLE", True)
    await stopping


async def test_a_file_comes_as_bytes(gateway):
    path = "/v1/recording/FetchAudio"
    answer = await gateway.http.get(path, params={"contact_id": "c"})
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == b"RIFF" + b"\x00\xff" * 1000
    unknown = await gateway.http.get(path, params={"contact_id": "none"})
    assert unknown.status_code == 404
    as_events = await gateway.http.get(path, params={"contact_id": "c"}, headers={"accept": "text/event-stream"})
    assert as_events.text.startswith(': open\n\ndata: {"data":"UklGRg=="}\n\n')


async def test_a_file_that_breaks_off_is_not_taken_for_whole(gateway):
    with pytest.raises(httpx.RemoteProtocolError):
        await gateway.http.get("/v1/recording/FetchAudio", params={"contact_id": "broken"})


async def until(condition, limit=5.0):
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
