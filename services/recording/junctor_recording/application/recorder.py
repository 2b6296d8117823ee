"""What follows from the journal: audio is taken while a recording runs, sealed when it stops, deleted when it is erased.

One task per live recording compares what the state asks for with what is there, and does the next thing. It starts from
the state alone, so a crash or another owner needs nothing more than to start it again: the file that is there goes on,
the time in between is silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, cast

from google.protobuf.message import Message
from junctor.recording.v1 import recording_pb2
from junctor_journal.aggregates import AggregateFold
from junctor_service.clock import Clock
from junctor_service.drain import remaining
from junctor_service.ids import step_request_id
from junctor_service.telemetry import Telemetry
from junctor_service.trace_context import contact_traceparent

from junctor_recording.domain.recording import Recording, RecordingFile

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
NO_AUDIO = "no audio came before the end of the talk"

Report = Callable[..., Awaitable[None]]
Look = Callable[[str, str], Recording | None]
Address = tuple[str, int]


class Stored(NamedTuple):
    """A kept file."""

    path: str
    duration_ms: int
    bytes: int
    sha256: str


class Take(Protocol):
    """Audio being written."""

    @property
    def path(self) -> str: ...

    @property
    def customer(self) -> Address:
        """Where the customer's RTP is taken."""

    @property
    def agent(self) -> Address:
        """Where the agent's RTP is taken."""

    @property
    def failure(self) -> str:
        """Why nothing is written any more; empty while all is well."""

    def pause(self) -> None:
        """Silence from now on."""

    def resume(self) -> None:
        """Audio again."""

    async def close(self) -> int:
        """Writes what has arrived; gives how many packets came."""


class Studio(Protocol):
    """Where audio is written and kept. Errors: `retryable` says whether the same may succeed later, `OSError` may."""

    async def open(self, recording: Recording, on_failure: Callable[[], None]) -> Take:
        """Begins to write, or goes on with what a crash left. `on_failure` is called once where it stops by itself."""

    async def seal(self, recording: Recording) -> Stored | None:
        """Moves what was written into the store; None where nothing was. A repeat gives the same."""

    async def discard(self, recording: Recording) -> None:
        """Deletes what was written."""

    async def delete(self, tenant: str, files: tuple[RecordingFile, ...]) -> None:
        """Deletes kept files and their keys for good."""


class Forker(Protocol):
    """Who has the audio."""

    async def fork(self, tenant: str, contact_id: str, customer: Address, agent: Address, request_id: str) -> None:
        """A copy of both sides' audio from now on. Raises an exception with `retryable`."""


class Recorder:
    """Effects of the journal, and a component: `stop` closes the files that are open; the next owner goes on with them."""

    name = "recorder"
    ready = True

    def __init__(
        self, studio: Studio, forker: Forker, look: Look, report: Report, telemetry: Telemetry, clock: Clock
    ) -> None:
        self.studio = studio
        self.forker = forker
        self.look = look
        self.report = report
        self.telemetry = telemetry
        self.clock = clock
        self._sessions: dict[tuple[int, str, str], _Session] = {}
        self._stopped = False

    @property
    def live(self) -> int:
        """Recordings that this process works on."""
        return len(self._sessions)

    async def start(self) -> None:
        """Nothing: sessions start with the journal."""

    async def stop(self, deadline: float) -> None:
        """Closes the files that are open."""
        self._stopped = True
        for session in self._sessions.values():
            session.end()
        tasks = [session.task for session in self._sessions.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=max(0.0, remaining(deadline)))

    def on_entry(self, partition: int, entry: Any, mine: bool) -> None:
        if mine and entry.events:
            self._wake(partition, entry.tenant, entry.stream)

    def on_ready(self, partition: int, fold: Any) -> None:
        for tenant, stream in list(cast(AggregateFold[Recording], fold).streams()):
            self._wake(partition, tenant, stream)

    def on_lost(self, partition: int) -> None:
        for key, session in self._sessions.items():
            if key[0] == partition:
                session.end()

    def _wake(self, partition: int, tenant: str, stream: str) -> None:
        if self._stopped:
            return
        key = (partition, tenant, stream)
        session = self._sessions.get(key)
        if session is None or session.over:
            session = self._sessions[key] = _Session(self, tenant, stream, before=session)
            session.task.add_done_callback(partial(self._forget, key, session))
        session.wake()

    def _forget(self, key: tuple[int, str, str], ended: _Session, _: asyncio.Task[None]) -> None:
        if self._sessions.get(key) is ended:
            del self._sessions[key]


class _Session:
    """One contact's recording in this process. `before`: one that still closes the same file."""

    def __init__(self, recorder: Recorder, tenant: str, contact_id: str, before: _Session | None) -> None:
        self.over = False
        self._before = before
        self._recorder = recorder
        self._tenant = tenant
        self._contact = contact_id
        self._changed = asyncio.Event()
        self._take: Take | None = None
        self._taken_at = 0
        self._forked = self._told = self._heard = False
        self._delay = FIRST_PAUSE
        self.task = asyncio.create_task(self._run(), name=f"recording {contact_id}")

    def end(self) -> None:
        """Closes the file; the recording itself goes on elsewhere."""
        self.over = True
        self.task.cancel()

    def wake(self) -> None:
        """The state has changed; a pause takes hold at once."""
        state = self._state()
        if self._take is not None and state is not None:
            if state.state == "paused":
                self._take.pause()
            elif state.state == "active":
                self._take.resume()
        self._changed.set()

    def _state(self) -> Recording | None:
        return self._recorder.look(self._tenant, self._contact)

    async def _run(self) -> None:
        if self._before is not None:
            await asyncio.wait({self._before.task})
            self._before = None
        try:
            while True:
                self._changed.clear()
                state = self._state()
                if state is None:
                    self.over = True
                    return
                try:
                    await self._step(state)
                except Exception as error:
                    await self._step_failed(state, error)
                    continue
                self._delay = FIRST_PAUSE
                await self._changed.wait()
        finally:
            await self._close()

    async def _step(self, state: Recording) -> None:
        match state.state:
            case "starting" | "active" | "paused":
                await self._record(state)
            case "sealing":
                await self._seal(state)
            case "erasing":
                await self._recorder.studio.delete(self._tenant, state.erasing)
                deleted = recording_pb2.RecordingDeleted(contact_id=self._contact)
                await self._report(deleted, f"{state.erasing[0].recording_id}/deleted")

    async def _record(self, state: Recording) -> None:
        if self._take is None:
            self._take = await self._recorder.studio.open(state, self._changed.set)
            self._taken_at = self._recorder.clock.now_ms()
            self.wake()
        take = self._take
        if take.failure:
            await self._broken(state, take.failure, partial=True)
            return
        if not self._forked:
            request_id = step_request_id(self._contact, f"fork {state.recording_id}", self._taken_at)
            with self._recorder.telemetry.span("recording.start", traceparent=_trace_of(self._contact)):
                await self._recorder.forker.fork(self._tenant, self._contact, take.customer, take.agent, request_id)
            self._forked = True
        if not self._told:
            forked = recording_pb2.RecordingForked(contact_id=self._contact, path=take.path)
            await self._report(forked, f"{state.recording_id}/forked/{self._taken_at}")
            self._told = True

    async def _seal(self, state: Recording) -> None:
        await self._close()
        if not state.path and not self._heard:
            await self._recorder.studio.discard(state)
            await self._broken(state, NO_AUDIO, partial=False)
            return
        with self._recorder.telemetry.span("recording.seal", traceparent=_trace_of(self._contact)):
            stored = await self._recorder.studio.seal(state)
        if stored is None:
            await self._broken(state, "the audio is not on this disk any more", partial=False)
            return
        fact = recording_pb2.RecordingStored(contact_id=self._contact, **stored._asdict())
        await self._report(fact, f"{state.recording_id}/stored")

    async def _step_failed(self, state: Recording, error: Exception) -> None:
        """What may pass is tried again after a pause, or as soon as the state changes; the rest becomes a fact."""
        if _may_pass(state, error):
            log.warning(
                "recording is tried again",
                extra={"contact_id": self._contact, "state": state.state, "error": repr(error)},
            )
            await self._pause()
            return
        log.error("recording cannot go on", extra={"contact_id": self._contact, "state": state.state}, exc_info=error)
        try:
            if not state.path:
                await self._close()
                await self._recorder.studio.discard(state)
            partial = bool(state.path) and state.state != "sealing"
            await self._broken(state, str(error) or type(error).__name__, partial=partial)
        except Exception as again:
            log.warning("a recording's fact waits", extra={"contact_id": self._contact, "error": repr(again)})
            await self._pause()
            return
        await self._changed.wait()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._delay):
                await self._changed.wait()
        except TimeoutError:
            self._delay = min(2 * self._delay, LONGEST_PAUSE)

    async def _broken(self, state: Recording, reason: str, *, partial: bool) -> None:
        fact = recording_pb2.RecordingBroken(contact_id=self._contact, reason=reason, partial=partial)
        await self._report(fact, f"{state.recording_id}/broken/{state.state}")

    async def _report(self, fact: Message, name: str) -> None:
        await self._recorder.report(
            fact,
            id=f"{self._tenant}/recording/{name}",
            tenant=self._tenant,
            stream=self._contact,
            correlation_id=self._contact,
            traceparent=_trace_of(self._contact),
        )

    async def _close(self) -> None:
        take, self._take = self._take, None
        self._forked = self._told = False
        if take is not None:
            self._heard = await take.close() > 0 or self._heard


def _may_pass(state: Recording, error: Exception) -> bool:
    """Audio that cannot be taken now is lost; what is written is sealed or deleted however long that takes."""
    if getattr(error, "retryable", False) or state.state == "erasing":
        return True
    return state.state == "sealing" and isinstance(error, OSError)


def _trace_of(contact_id: str) -> str:
    try:
        return contact_traceparent(contact_id)
    except ValueError:
        return ""
