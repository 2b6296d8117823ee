"""A real PostgreSQL server of its own for a test, where one is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Self

import psycopg
from junctor_local.ports import free_port

_USER = "postgres"


def _programs() -> Path | None:
    """Where initdb and pg_ctl are: Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def installed() -> bool:
    """Whether a server can be started here. It does not run as root, and needs a /dev/null that others may write to."""
    return _programs() is not None and os.stat(os.devnull).st_mode & 0o006 == 0o006


class PostgresServer:
    """Listens on loopback, keeps its files in `directory`, and trusts who connects. It does not run as root."""

    def __init__(self, directory: Path) -> None:
        programs = _programs()
        if programs is None:
            raise FileNotFoundError("PostgreSQL is not installed (Debian: postgresql)")
        self._programs = programs
        self._data = directory / "data"
        self._log = directory / "postgres.log"
        self.port = free_port()
        self._as: str | None = None
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_USER)
            self._as = _USER
            for above in (directory, *directory.parents):
                if above.stat().st_uid == 0 and above != Path("/"):
                    above.chmod(above.stat().st_mode | 0o011)
            os.chown(directory, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", _USER, "-A", "trust", "--no-sync", "-E", "UTF8")

    def start(self) -> None:
        """Returns when it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k '' -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-o", options, "-w", "start")

    def stop(self) -> None:
        """Ends it at once, as a crash would."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"d{uuid.uuid4().hex[:10]}"
        with psycopg.connect(self._url(_USER), autocommit=True) as session:
            session.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _url(self, database: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments], check=True, user=self._as, stdout=subprocess.DEVNULL, cwd="/"
        )
