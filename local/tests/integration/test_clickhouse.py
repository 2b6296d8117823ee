"""The ClickHouse endpoint: what may not end it, who may do what, and what a crash leaves."""

import asyncio
import contextlib
import os
import re
import socket
import stat
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException
from junctor_local.child import Child, NotReady
from junctor_local.clickhouse import ClickHouseServer
from junctor_local.ports import free_port

ACCESS_DENIED, AUTHENTICATION_FAILED, TOO_MANY_SESSIONS = 497, 516, 700


async def ask(login: dict[str, Any], query: str, rows: list[tuple[Any, ...]] | None = None) -> Any:
    def run() -> Any:
        with Client(**login) as client:
            return client.execute(query, rows)

    return await asyncio.to_thread(run)


async def refused(login: dict[str, Any], query: str) -> int:
    with pytest.raises(ServerException) as error:
        await ask(login, query)
    return int(error.value.code)


async def test_wrong_passwords_do_not_end_it(tmp_path: Path) -> None:
    async with ClickHouseServer(tmp_path) as server:
        for user in ("junctor", "analyst", "nobody"):
            assert (
                await refused({**server.native, "user": user, "password": "wrong"}, "SELECT 1") == AUTHENTICATION_FAILED
            )
        assert server.running
        assert await ask(server.native, "SELECT 1") == [(1,)]


async def test_junk_on_both_ports_does_not_end_it(tmp_path: Path) -> None:
    junk = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        os.urandom(2048),
        b"\x00",
        b"\xff" * 512,
    ]
    async with ClickHouseServer(tmp_path) as server:
        for port in (server.tcp_port, server.http_port):
            for content in junk:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(content)
                writer.write_eof()
                with contextlib.suppress(ConnectionError):
                    await asyncio.wait_for(reader.read(), 5)
                writer.close()
        assert server.running
        assert await ask(server.native, "SELECT 1") == [(1,)]


async def test_the_analyst_reads_the_database_and_nothing_else(tmp_path: Path) -> None:
    async with ClickHouseServer(tmp_path) as server:
        await ask(server.native, "CREATE TABLE calls (id UInt64) ENGINE = MergeTree ORDER BY id")
        await ask(server.native, "INSERT INTO calls VALUES", [(7,)])
        assert await ask(server.analyst, "SELECT id FROM calls") == [(7,)]
        for query in (
            "INSERT INTO calls SELECT 8",
            "DROP TABLE calls",
            "CREATE TABLE mine (id UInt8) ENGINE = Memory",
            "SELECT * FROM system.processes",
            "SELECT * FROM file('/etc/passwd', 'LineAsString')",
            "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        ):
            assert await refused(server.analyst, query) == ACCESS_DENIED, query


async def test_the_writer_stays_in_its_database(tmp_path: Path) -> None:
    async with ClickHouseServer(tmp_path) as server:
        for query in (
            "CREATE DATABASE other",
            "SELECT * FROM file('/etc/passwd', 'LineAsString')",
            "CREATE TABLE mine (line String) ENGINE = URL('http://127.0.0.1:1/')",
        ):
            assert await refused(server.native, query) == ACCESS_DENIED, query


async def test_the_engines_own_user_cannot_be_used_over_the_network(tmp_path: Path) -> None:
    async with ClickHouseServer(tmp_path) as server:
        login = {"host": "127.0.0.1", "port": server.tcp_port}
        for query in ("SELECT 1", "SYSTEM STOP LISTEN TCP"):
            assert await refused(login, query) == TOO_MANY_SESSIONS
        assert await ask(server.native, "SELECT 1") == [(1,)]


async def test_a_second_process_on_its_folder_is_refused(tmp_path: Path) -> None:
    async with ClickHouseServer(tmp_path) as server:
        second = ClickHouseServer(tmp_path)
        with pytest.raises(NotReady, match="ended with status 1"):
            await second.start()
        assert await ask(server.native, "SELECT 1") == [(1,)]


async def test_rows_outlive_sigkill_and_an_orderly_stop(tmp_path: Path) -> None:
    async with ClickHouseServer(tmp_path) as server:
        await ask(server.native, "CREATE TABLE calls (id UInt64) ENGINE = MergeTree ORDER BY id")
        await ask(server.native, "INSERT INTO calls VALUES", [(1,)])
        await server.kill()
        await server.start()
        await ask(server.native, "INSERT INTO calls VALUES", [(2,)])
        await server.stop()
        assert server.child.returncode == 0
        await server.start()
        assert await ask(server.native, "SELECT id FROM calls ORDER BY id") == [(1,), (2,)]


async def test_a_repeated_insert_counts_once_also_behind_a_view(tmp_path: Path) -> None:
    async with ClickHouseServer(tmp_path) as server:
        await ask(server.native, "CREATE TABLE raw (id UInt64) ENGINE = MergeTree ORDER BY id")
        await ask(
            server.native,
            "CREATE TABLE total (rows SimpleAggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree ORDER BY tuple()",
        )
        await ask(server.native, "CREATE MATERIALIZED VIEW feed TO total AS SELECT count() AS rows FROM raw")
        for _ in range(3):
            await ask(
                server.native,
                "INSERT INTO raw SETTINGS insert_deduplication_token = 'a' SELECT number FROM numbers(10)",
            )
        assert await ask(server.native, "SELECT count() FROM raw") == [(10,)]
        assert await ask(server.native, "SELECT sum(rows) FROM total") == [(10,)]


async def test_what_others_need_stays_open_to_them(tmp_path: Path) -> None:
    before = stat.S_IMODE(Path(os.devnull).stat().st_mode)
    async with ClickHouseServer(tmp_path / "clickhouse") as server:
        assert await ask(server.native, "SELECT 1") == [(1,)]
        assert stat.S_IMODE(Path(os.devnull).stat().st_mode) == before


async def test_passwords_are_random_kept_and_private(tmp_path: Path) -> None:
    one, other = ClickHouseServer(tmp_path / "one"), ClickHouseServer(tmp_path / "other")
    assert one.passwords != other.passwords
    assert one.passwords == ClickHouseServer(tmp_path / "one").passwords
    assert stat.S_IMODE((tmp_path / "one" / "passwords.json").stat().st_mode) == 0o600


async def test_with_another_host_its_users_come_from_elsewhere_with_given_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "given")
    monkeypatch.setenv("CLICKHOUSE_ANALYST_PASSWORD", "other")
    tcp, http = free_port("127.0.0.1"), free_port("127.0.0.1")
    command = [sys.executable, "-m", "junctor_local.clickhouse", "--path", str(tmp_path), "--host", "0.0.0.0"]
    command += ["--tcp", str(tcp), "--http", str(http)]
    child = Child("ClickHouse", command, tmp_path / "launcher.log")

    address = next(
        found.address
        for addresses in psutil.net_if_addrs().values()
        for found in addresses
        if found.family == socket.AF_INET and not found.address.startswith("127.")
    )

    def status(user: str, password: str) -> int:
        connection = HTTPConnection(address, http, timeout=5)
        connection.request(
            "GET", "/?query=SELECT%201", headers={"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
        )
        return connection.getresponse().status

    async def answers() -> bool:
        with contextlib.suppress(OSError):
            return await asyncio.to_thread(status, "junctor", "given") == 200
        return False

    await child.start()
    try:
        await child.ready(answers, 60)
        assert await asyncio.to_thread(status, "analyst", "other") == 200
        assert await asyncio.to_thread(status, "analyst", "given") in (401, 403)
        # To the engine every address of this machine is a local one: only what it was told shows who else may come.
        users = (tmp_path / "etc" / "users.xml").read_text()
        networks = re.findall(r"<(\w+)>\s*<password_sha256_hex>\w+</password_sha256_hex>\s*<networks>(.*)</net", users)
        assert networks == [("junctor", "<ip>::/0</ip>"), ("analyst", "<ip>::/0</ip>")]
    finally:
        await child.kill()
