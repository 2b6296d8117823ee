"""ClickHouse behind TLS: inserts and reports check who they speak to."""

import asyncio
import contextlib
import ssl

import pytest
from junctor_analytics.adapters.clickhouse_http import ClickHouseAddress, ClickHouseHttp
from junctor_analytics.adapters.clickhouse_reader import ClickHouseReader
from junctor_analytics.application.ports import WarehouseAway
from junctor_analytics.application.reports import ReaderAway
from junctor_local.clickhouse import DATABASE, WRITER, ClickHouseServer
from junctor_testkit.certificates import Authority


@contextlib.asynccontextmanager
async def behind_tls(context, port):
    """A port that speaks TLS and passes on what is inside to `port`."""

    async def pipe(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
async def endpoint(tmp_path):
    """Ports of HTTP and of the native protocol, the writer's password, and two authorities: the right one first."""
    right, wrong = Authority(tmp_path / "right"), Authority(tmp_path / "wrong")
    pair = right.sign("clickhouse")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    async with (
        ClickHouseServer(tmp_path / "clickhouse") as server,
        behind_tls(context, server.http_port) as http,
        behind_tls(context, server.tcp_port) as native,
    ):
        yield http, native, server.passwords.junctor, right.certificate, wrong.certificate


async def test_both_ways_are_encrypted_and_the_server_is_known_by_its_authority(endpoint):
    http_port, native_port, password, authority, _ = endpoint
    http = ClickHouseHttp(ClickHouseAddress(f"https://127.0.0.1:{http_port}", WRITER, password, DATABASE, authority))
    reader = ClickHouseReader("127.0.0.1", native_port, WRITER, password, DATABASE, tls=True, authority=authority)
    try:
        assert (await http.run("SELECT 41 + 1")).strip() == "42"
        assert await reader.rows("SELECT 6 * 7", {}) == [(42,)]
    finally:
        await http.close()
        await reader.stop(0)


async def test_a_server_that_somebody_else_signed_is_not_spoken_to(endpoint):
    http_port, native_port, password, _, stranger = endpoint
    http = ClickHouseHttp(ClickHouseAddress(f"https://127.0.0.1:{http_port}", WRITER, password, DATABASE, stranger))
    reader = ClickHouseReader("127.0.0.1", native_port, WRITER, password, DATABASE, tls=True, authority=stranger)
    try:
        with pytest.raises(WarehouseAway):
            await http.run("SELECT 1")
        with pytest.raises(ReaderAway):
            await reader.rows("SELECT 1", {})
    finally:
        await http.close()
        await reader.stop(0)
