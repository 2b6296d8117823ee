"""TLS between services: encrypted, known by the authority, renewed while it runs."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import ssl
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from junctor_service.client import Channels
from junctor_service.health import Health
from junctor_service.probes import ProbeServer
from junctor_service.run import Service
from junctor_service.settings import HostPort, SettingsError
from junctor_service.tls import channel_credentials, server_credentials
from junctor_service.token_source import StaticToken
from junctor_testkit.certificates import Authority


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "tls")


@pytest.fixture
def secured(settings, authority):
    pair = authority.sign("router")
    return dataclasses.replace(
        settings,
        grpc_tls_certificate=pair.certificate,
        grpc_tls_key=pair.key,
        grpc_tls_authority=authority.certificate,
    )


@pytest.fixture
def looks(probe):
    class Looks(probe.grpc.ProbeServicer):
        async def Look(self, request, context):
            return probe.pb2.LookResponse(tenant="acme")

    return Looks()


async def test_calls_are_encrypted_and_others_are_turned_away(probe, looks, serve, issuer, secured, settings, tmp_path):
    site = await serve(looks, used=secured)
    address = f"localhost:{site.address.rpartition(':')[2]}"
    channels = Channels(StaticToken(issuer.token()), settings=secured)
    answer = await probe.grpc.ProbeStub(channels.channel(address)).Look(probe.pb2.LookRequest(tenant="acme"))
    assert answer.tenant == "acme"
    await channels.close()

    elsewhere = dataclasses.replace(secured, grpc_tls_authority=Authority(tmp_path / "other").certificate)
    for used in (settings, elsewhere):
        stranger = Channels(StaticToken(issuer.token()), settings=used)
        with pytest.raises(grpc.RpcError) as refused:
            await probe.grpc.ProbeStub(stranger.channel(address)).Look(probe.pb2.LookRequest(tenant="acme"), timeout=1)
        assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        await stranger.close()


async def test_a_renewed_certificate_is_used_from_the_next_connection_on(looks, serve, authority, secured):
    site = await serve(looks, used=secured)
    port = int(site.address.rpartition(":")[2])
    before = await _shown(port, authority)
    pair = authority.sign("router")
    later = time.time() + 5
    os.utime(pair.key, (later, later))
    os.utime(pair.certificate, (later, later))
    assert await _shown(port, authority) != before


async def _shown(port, authority):
    """The certificate that the server shows (DER)."""
    context = ssl.create_default_context(cafile=authority.certificate)
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return shown


def test_half_of_the_files_or_the_wrong_ones_are_told(settings, secured, tmp_path):
    with pytest.raises(SettingsError, match="JUNCTOR_GRPC_TLS_KEY is not set; TLS needs all of"):
        server_credentials(dataclasses.replace(secured, grpc_tls_key=None))
    with pytest.raises(SettingsError, match="cannot be read .No such file"):
        server_credentials(dataclasses.replace(secured, grpc_tls_certificate=tmp_path / "none.pem"))
    other = Authority(tmp_path / "third").sign("x")
    with pytest.raises(SettingsError, match="are not a PEM chain and its key"):
        server_credentials(dataclasses.replace(secured, grpc_tls_key=other.key))
    with pytest.raises(SettingsError, match="is no PEM file of certificates"):
        channel_credentials(dataclasses.replace(secured, grpc_tls_authority=Path(settings.jwks)))
    assert (server_credentials(settings), channel_credentials(settings)) == (None, None)


async def test_a_service_tells_that_it_lives_while_it_still_waits(settings):
    health, waiting = Health("router"), asyncio.Event()

    class Waits:
        name, ready = "log", True

        async def start(self):
            await waiting.wait()

        async def stop(self, deadline):
            return

    probes = ProbeServer(health, HostPort("127.0.0.1", 0))
    service = Service("router", [probes, Waits()], settings, health=health)
    starting = asyncio.create_task(service.start())
    async with asyncio.timeout(5):
        while not probes.port:
            await asyncio.sleep(0.01)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{probes.port}") as channel:
        ask = health_pb2_grpc.HealthStub(channel).Check
        live = await ask(health_pb2.HealthCheckRequest(service="liveness"))
        ready = await ask(health_pb2.HealthCheckRequest(service="readiness"))
        assert (live.status, ready.status) == (
            health_pb2.HealthCheckResponse.SERVING,
            health_pb2.HealthCheckResponse.NOT_SERVING,
        )
        waiting.set()
        await starting
        ready = await ask(health_pb2.HealthCheckRequest(service="readiness"))
        assert ready.status == health_pb2.HealthCheckResponse.SERVING
    await service.stop()
