"""ClickHouse's own native and HTTP listeners, started from its shared library (npm package @chdb/lib-linux-x64-gnu).

The library's `chdb_query_cmdline` is the main function of `clickhouse local`, which opens real listeners by
SYSTEM START LISTEN. `python -m junctor_local.clickhouse --path DIR --tcp PORT --http PORT` runs one server until
SIGTERM or SIGINT; `ClickHouseServer` runs that as a child process.
"""

import argparse
import asyncio
import ctypes
import os
import pty
import signal
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from junctor_local import clickhouse_configuration, places
from junctor_local.child import Child
from junctor_local.clickhouse_configuration import ANALYST, DATABASE, WRITER, Passwords
from junctor_local.ports import free_port

__all__ = ["ANALYST", "DATABASE", "WRITER", "ClickHouseServer"]

_HOST = "127.0.0.1"
_READY_LIMIT = 60.0
_STOP_LIMIT = 8.0
_MEMORY = 2_000_000_000


class ClickHouseServer:
    """One server on loopback whose data outlives `kill`, `stop` and `start` on the same directory and ports.

        async with ClickHouseServer(tmp_path) as clickhouse:
            clickhouse_driver.Client(**clickhouse.native)

    The database `junctor` exists once `start` has returned.
    """

    def __init__(self, directory: Path, tcp_port: int = 0, http_port: int = 0, memory_bytes: int = _MEMORY) -> None:
        """`directory` holds data, settings, passwords and logs; port 0 chooses a free one."""
        self.directory = directory
        self.tcp_port = tcp_port or free_port(_HOST)
        self.http_port = http_port or free_port(_HOST)
        command = [sys.executable, "-m", "junctor_local.clickhouse", "--path", str(directory)]
        command += ["--tcp", str(self.tcp_port), "--http", str(self.http_port), "--memory", str(memory_bytes)]
        self._child = Child("ClickHouse", command, directory / "launcher.log", env={"TZ": "UTC"})

    @property
    def http(self) -> str:
        """The URL of the HTTP interface."""
        return f"http://{_HOST}:{self.http_port}"

    @property
    def passwords(self) -> Passwords:
        """The users' passwords."""
        return clickhouse_configuration.passwords(self.directory)

    @property
    def native(self) -> dict[str, str | int]:
        """The keyword arguments of `clickhouse_driver.Client` for the writer."""
        return self._native(WRITER, self.passwords.junctor)

    @property
    def analyst(self) -> dict[str, str | int]:
        """The keyword arguments of `clickhouse_driver.Client` for the analyst."""
        return self._native(ANALYST, self.passwords.analyst)

    @property
    def child(self) -> Child:
        """The server's process."""
        return self._child

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the server's process runs."""
        return self._child.running

    async def start(self) -> None:
        """Starts the server and waits until it answers queries and has the database.

        Raises FileNotFoundError without the library (run `make setup`), NotReady if the server ends (its folder or
        a port is in use) or is silent for a minute; the text has the end of its log.
        """
        if not places.clickhouse_library().exists():
            raise FileNotFoundError(f"{places.clickhouse_library()} does not exist: run `make setup`")
        await self._child.start()
        await self._child.ready(self.answers, _READY_LIMIT, every=0.02)

    async def stop(self) -> None:
        """Ends the server in order (SIGTERM), or by SIGKILL after 15 s."""
        await self._child.stop()

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        await self._child.kill()

    async def answers(self) -> bool:
        """Whether the server runs a query of the writer; makes the database if it does not exist."""
        return await _http_status(
            _HOST,
            self.http_port,
            f"/?query={quote(f'CREATE DATABASE IF NOT EXISTS {DATABASE} ENGINE = Atomic')}",
            {"X-ClickHouse-User": WRITER, "X-ClickHouse-Key": self.passwords.junctor},
        ) == 200 and await _accepts(self.tcp_port)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    def _native(self, user: str, password: str) -> dict[str, str | int]:
        return {"host": _HOST, "port": self.tcp_port, "user": user, "password": password, "database": DATABASE}


def main() -> int:
    """Runs the engine in this process until SIGTERM or SIGINT; the exit status is 1 if it ends by itself."""
    options = argparse.ArgumentParser(prog="python -m junctor_local.clickhouse", description=__doc__)
    options.add_argument("--path", type=Path, required=True, help="folder of the server's data, settings and passwords")
    options.add_argument("--tcp", type=int, required=True, help="port of the native protocol")
    options.add_argument("--http", type=int, required=True, help="port of the HTTP interface")
    options.add_argument("--memory", type=int, default=_MEMORY, help="limit of all queries together, bytes")
    options.add_argument(
        "--host", default=_HOST, help="the address to listen on; another than the default lets in others"
    )
    given = options.parse_args()
    settings = clickhouse_configuration.write(given.path.resolve(), given.memory, everywhere=given.host != _HOST)
    # Blocked in every thread that the engine starts, so that its own handlers never see them; taken below.
    watched = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    engine = _Engine(given.path.resolve(), settings, given.host, given.tcp, given.http)
    engine.start()
    while engine.is_alive():
        if signal.sigtimedwait(watched, 0.2) is not None:
            engine.leave()
            engine.join(_STOP_LIMIT)
            # The engine's threads may wait for clients; nothing is left to be written at its prompt's end.
            os._exit(0)
    print(engine.failure or "ClickHouse ended by itself: see clickhouse.log", file=sys.stderr, flush=True)
    os._exit(1)


class _Engine(threading.Thread):
    """The engine at its interactive prompt on a pseudo-terminal.

    Without a terminal `clickhouse local` ends the whole process on any exception that leaves a connection's handler:
    one wrong password over the native protocol would be enough. Interactive mode survives it.
    """

    def __init__(self, directory: Path, settings: Path, host: str, tcp_port: int, http_port: int) -> None:
        super().__init__(name="engine", daemon=True)
        self.failure: str | None = None
        self._arguments = ["clickhouse", "-C", str(settings), "--path", str(directory / "data")]
        self._arguments += ["--listen_host", host, "--tcp_port", str(tcp_port), "--http_port", str(http_port)]
        self._arguments += [
            "--log-level",
            "warning",
            "--logger.log",
            str(directory / "clickhouse.log"),
            "--logger.console",
            "0",
        ]
        # A file of its own: the engine makes its history private, and would /dev/null too.
        self._arguments += [
            "--interactive",
            "--disable_suggestion",
            "--history_file",
            str(directory / "prompt.history"),
        ]
        self._arguments += ["--progress", "off", "--query", "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP"]
        self._terminal, prompt = pty.openpty()
        os.dup2(prompt, 0)
        os.dup2(prompt, 1)
        threading.Thread(target=self._copy_output, name="output", daemon=True).start()

    def run(self) -> None:
        """Returns when the engine does, with its error in `failure`."""
        library = ctypes.CDLL(str(places.clickhouse_library()))
        library.chdb_query_cmdline.restype = ctypes.c_void_p
        library.chdb_result_error.restype = ctypes.c_char_p
        library.chdb_result_error.argtypes = [ctypes.c_void_p]
        encoded = [argument.encode() for argument in self._arguments]
        vector = (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)
        error = library.chdb_result_error(library.chdb_query_cmdline(len(encoded), vector))
        self.failure = error.decode(errors="replace") if error else None

    def leave(self) -> None:
        """Types `exit` at the prompt."""
        os.write(self._terminal, b"exit\n")

    def _copy_output(self) -> None:
        while output := os.read(self._terminal, 65536):
            os.write(2, output)


async def _http_status(host: str, port: int, target: str, headers: dict[str, str]) -> int:
    """The status of one POST; 0 if there is no answer."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
    except (OSError, TimeoutError):
        return 0
    try:
        lines = [f"POST {target} HTTP/1.1", f"Host: {host}:{port}", "Content-Length: 0", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        status = (await asyncio.wait_for(reader.readline(), 5)).split()
        return int(status[1]) if len(status) > 1 else 0
    except (OSError, TimeoutError, ValueError):
        return 0
    finally:
        writer.close()


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(_HOST, port), 1)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


if __name__ == "__main__":
    sys.exit(main())
