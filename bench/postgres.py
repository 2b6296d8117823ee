"""A PostgreSQL server of its own in a folder, from Debian's package; what is missing is named."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shutil
from pathlib import Path

import psutil
from junctor_local.ports import free_port

HINT = "The figure needs PostgreSQL's server and pgbench (Debian: apt-get install postgresql)."


class Missing(Exception):
    """Something of PostgreSQL is not installed. The text says what, and how it is installed."""


class PostgresServer:
    """`async with PostgresServer(folder) as server`. Default settings, but for the port, the socket's folder and a
    shared buffer that fits the tables."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "postgres"
        self._data = self._folder / "data"
        self.port = free_port()
        self._programs = _programs()
        self._child: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> PostgresServer:
        for folder in (self._folder.parent, self._folder):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        await self._run("initdb", "--pgdata", str(self._data), "--auth", "trust", "--username", "postgres")
        self._child = await asyncio.create_subprocess_exec(
            *_as_postgres(),
            str(self._programs / "postgres"),
            "-D",
            str(self._data),
            *("-p", str(self.port), "-k", str(self._folder), "-c", "listen_addresses="),
            *("-c", "shared_buffers=256MB"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(30):
            while True:
                try:
                    await self.sql("SELECT 1")
                    return self
                except RuntimeError:
                    await asyncio.sleep(0.1)

    async def __aexit__(self, *error: object) -> None:
        if self._child is not None and self._child.returncode is None:
            self._child.terminate()
            await self._child.wait()

    async def sql(self, text: str) -> str:
        return await self._run("psql", *self._where(), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text)

    async def pgbench(self, script: Path, clients: int, seconds: int) -> float:
        """Runs of the script a second, connections not counted; prepared statements."""
        found = await self._run(
            "pgbench",
            *self._where(),
            *("-n", "-M", "prepared", "-f", str(script), "-c", str(clients), "-j", "2", "-T", str(seconds)),
        )
        rate = re.search(r"^tps = ([\d.]+)", found, re.MULTILINE)
        failed = re.search(r"^number of failed transactions: (\d+)", found, re.MULTILINE)
        if rate is None or (failed is not None and int(failed.group(1))):
            raise RuntimeError(f"pgbench says: {found}")
        return float(rate.group(1))

    def cpu_seconds(self) -> float:
        """Of the server's processes, those that have ended too."""
        assert self._child is not None
        server = psutil.Process(self._child.pid)
        found = [one.cpu_times() for one in (server, *server.children(recursive=True))]
        return float(sum(one.user + one.system + one.children_user + one.children_system for one in found))

    async def script(self, text: str, name: str) -> Path:
        """A file that the server's user can read."""
        path = self._folder / name
        await asyncio.to_thread(path.write_text, text)
        path.chmod(0o644)
        return path

    async def version(self) -> str:
        return (await self.sql("SHOW server_version")).strip()

    def _where(self) -> list[str]:
        return ["-h", str(self._folder), "-p", str(self.port), "-U", "postgres", "-d", "postgres"]

    async def _run(self, program: str, *arguments: str) -> str:
        child = await asyncio.create_subprocess_exec(
            *_as_postgres(),
            str(self._programs / program),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._folder,
        )
        out, _ = await child.communicate()
        if child.returncode:
            raise RuntimeError(f"{program} ended with {child.returncode}: {out.decode()[-2_000:]}")
        return out.decode()


def _programs() -> Path:
    """The newest version's folder."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    if not found and (path := shutil.which("postgres")):
        found = [Path(path).resolve().parent]
    if not found:
        raise Missing(f"There is no PostgreSQL server in /usr/lib/postgresql or on the PATH. {HINT}")
    missing = [name for name in ("initdb", "postgres", "psql", "pgbench") if not (found[-1] / name).exists()]
    if missing:
        raise Missing(f"{found[-1]} has no {', '.join(missing)}. {HINT}")
    return found[-1]


def _as_postgres() -> list[str]:
    """The server refuses to run as root."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
