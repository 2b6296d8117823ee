"""A child process that writes a log file and never outlives its parent."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

# setpriv (util-linux) sets PR_SET_PDEATHSIG, prctl(2), and becomes the program: SIGKILL when the thread that started
# it ends. Nothing of ours runs between fork and exec, which would not be safe beside gRPC's threads.
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
# Where the parent has ended before that is set, the program is not begun: its parent is another process then.
_OF_THIS_PARENT = ("sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"')


class NotReady(RuntimeError):
    """A child ended or stayed silent instead of becoming ready; the text ends with the tail of its log."""


class Child:
    """One process that is started, killed and started again with the same command line."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """`env` is added to this process's environment; output of all lives is appended to `log`."""
        self.name = name
        self.command = list(command)
        self.log = log
        self.env = dict(env or {})
        self.cwd = cwd
        self.started_at = 0.0
        self.on_start: Callable[[], None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0
        self.niceness = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def returncode(self) -> int | None:
        """The last life's exit status, negative for a signal; None before the end."""
        return self._process.returncode if self._process is not None else None

    async def start(self) -> None:
        """Starts the process; RuntimeError if it runs already. A program that does not exist ends with status 127."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already, process {self.pid}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self._process = await asyncio.create_subprocess_exec(
                *_DIE_WITH_PARENT,
                *_OF_THIS_PARENT,
                str(os.getpid()),
                *self.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                start_new_session=True,
            )
        if self.niceness:
            _give_way(self._process.pid, self.niceness)
        self.started_at = time.time()
        if self.on_start is not None:
            self.on_start()

    async def ready(self, answers: Callable[[], Awaitable[bool]], limit: float, every: float = 0.05) -> None:
        """Asks `answers` until it is true; NotReady if the process ends or `limit` seconds pass first."""
        deadline = time.monotonic() + limit
        while not await answers():
            if not self.running:
                raise NotReady(f"{self.name} ended with status {self.returncode} before it was ready. {self.tail()}")
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} was not ready within {limit:.0f} s. {self.tail()}")
            await asyncio.sleep(every)

    async def stop(self, limit: float = 15) -> None:
        """SIGTERM, then SIGKILL after `limit` seconds; nothing if it does not run."""
        if self._process is None or not self.running:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), limit)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, and waits until the process is gone."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        await self._process.wait()

    async def wait(self) -> int:
        """The exit status, once the process has ended."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return await self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The last lines that this life wrote, with the log's path."""
        if not self.log.exists():
            return f"It wrote no log ({self.log})."
        with self.log.open("rb") as output:
            output.seek(self._log_start)
            written = output.read().decode(errors="replace").splitlines()
        return "\n".join([f"The end of {self.log}:", *written[-lines:]])

    def _signal(self, number: int) -> None:
        if self._process is not None and self.running:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                return


def _give_way(pid: int, niceness: int) -> None:
    """Others go first: the process, and where the kernel groups by session (sched(7), autogroup) its session."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")


async def tcp_answers(host: str, port: int) -> bool:
    """Whether a TCP connection is accepted."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
