"""The gateway as a process, without Kafka and without any service: it serves, says what is away, and drains."""

import asyncio
import os
import signal
import sys
import time

import httpx
import pytest
from junctor_local.ports import free_port
from junctor_local.tokens import mint


@pytest.fixture
async def process(environ, tmp_path):
    port, rpc = free_port(), free_port()
    more = {
        "JUNCTOR_GATEWAY__HTTP_LISTEN": f"127.0.0.1:{port}",
        "JUNCTOR_GATEWAY__GRPC_LISTEN": f"127.0.0.1:{rpc}",
        "JUNCTOR_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "JUNCTOR_ROUTER_ADDRESS": f"127.0.0.1:{free_port()}",
        "JUNCTOR_TOKEN_URL": f"http://127.0.0.1:{free_port()}/token",
        "JUNCTOR_TOKEN_SECRET": "secret",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JUNCTOR_")}
    with (tmp_path / "log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "junctor_gateway", env=inherited | environ | more, stdout=log, stderr=log
        )
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=15) as http:
                await answers(http, child, tmp_path / "log")
                yield child, http
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()


async def answers(http, child, log):
    end = time.monotonic() + 30
    while True:
        assert child.returncode is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            if (await http.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.05)


async def test_it_is_ready_without_kafka_and_tells_what_is_away(process, key):
    _, http = process
    token = mint(key, subject="ann", tenant="acme", roles=["supervisor"])
    headers = {"authorization": f"Bearer {token}", "grpc-timeout": "300m"}
    answer = await http.get("/v1/router/GetTask", params={"contact_id": "c"}, headers=headers)
    assert answer.status_code in {503, 504}
    assert answer.json()["retryable"]
    assert answer.headers["retry-after"]
    assert (await http.get("/openapi.json")).status_code == 200


async def test_sigterm_drains_it(process):
    child, http = process
    await http.get("/livez")
    child.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(child.wait(), 20) == 0
