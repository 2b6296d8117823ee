"""How a service lives: components started in order, stopped in reverse, in one process or several services in one."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from junctor_service import logs
from junctor_service.drain import HardEnd, StopSignals, remaining
from junctor_service.health import Health
from junctor_service.settings import CommonSettings, SettingsError, load_settings

log = logging.getLogger(__name__)

EXIT_DRAINED, EXIT_START_FAILED, EXIT_SETTINGS = 0, 1, 2


class Component(Protocol):
    """A part of a service that has a life."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def ready(self) -> bool:
        """Whether it can do its work now. Asked often; must be cheap."""

    async def start(self) -> None:
        """Returns when started. What it raises ends the start of the service; its text is shown to a person."""

    async def stop(self, deadline: float) -> None:
        """Finishes what is under way until `deadline`, a moment of `time.monotonic`. Called only once started."""


class StartFailed(Exception):
    """A component did not start. The text is a sentence for a person; whether a retry helps depends on the cause."""


class Service:
    """The components of one service. Nothing in it is shared with another service of the process."""

    def __init__(
        self, name: str, components: Sequence[Component], settings: CommonSettings, *, health: Health | None = None
    ) -> None:
        self.name = name
        self.components = tuple(components)
        self.settings = settings
        self.health = health or Health(name)
        self._started: list[Component] = []
        self._draining = False
        self._context = contextvars.copy_context()
        self._context.run(logs.set_service, name, settings.site)
        self.health.feed(lambda: self.ready)

    @property
    def ready(self) -> bool:
        """All components are started and ready, and no drain has begun."""
        if self._draining or len(self._started) < len(self.components):
            return False
        return all(component.ready for component in self.components)

    def unready(self) -> list[str]:
        """Names of the components that keep the service from being ready."""
        started = set(map(id, self._started))
        return [c.name for c in self.components if id(c) not in started or not c.ready]

    async def start(self) -> None:
        """Starts the components in order. If one fails, stops those that had started and raises `StartFailed`."""
        await asyncio.get_running_loop().create_task(self._start(), context=self._context)

    async def stop(self, deadline: float | None = None) -> None:
        """Stops the components in reverse, each in what is left until `deadline` (a moment of `time.monotonic`)."""
        self._draining = True
        limit = time.monotonic() + self.settings.drain_deadline if deadline is None else deadline
        await asyncio.get_running_loop().create_task(self._stop(limit), context=self._context)

    async def _start(self) -> None:
        for component in self.components:
            began = time.monotonic()
            try:
                await component.start()
            except Exception as error:
                log.error("component did not start", extra={"component": component.name}, exc_info=error)
                await self._stop(time.monotonic() + self.settings.drain_deadline)
                raise StartFailed(f"{self.name}: {component.name} did not start: {sentence(error)}") from error
            self._started.append(component)
            took = round((time.monotonic() - began) * 1000)
            log.debug("component started", extra={"component": component.name, "took_ms": took})
        log.info("service started", extra={"components": [component.name for component in self.components]})

    async def _stop(self, deadline: float) -> None:
        while self._started:
            component = self._started.pop()
            try:
                await asyncio.wait_for(component.stop(deadline), max(0.05, remaining(deadline)))
            except TimeoutError:
                log.error("component did not stop in time", extra={"component": component.name})
            except Exception:
                log.exception("component failed to stop", extra={"component": component.name})
        log.info("service stopped")


@dataclass(frozen=True, slots=True)
class Program:
    """What `python -m junctor_<name>` runs: the settings' class and the service's one wiring place."""

    name: str
    settings_class: type[Any]
    bind: Callable[[Any], Service]


def sentence(error: BaseException) -> str:
    """An exception as a person reads it."""
    text = str(error).strip() or type(error).__name__
    return text if text.endswith((".", "!")) else f"{text}."


def main(name: str, settings_class: type[Any], bind: Callable[[Any], Service]) -> NoReturn:
    """Runs one service until SIGTERM or SIGINT.

    Exit codes: 0 drained, 1 a component did not start, 2 bad settings, 3 the drain passed its hard deadline.
    """
    run_services([Program(name, settings_class, bind)])


def run_services(programs: Sequence[Program], *, environ: Mapping[str, str] | None = None) -> NoReturn:
    """Runs services in one process and one event loop until SIGTERM or SIGINT; exit codes as for `main`."""
    loaded: list[tuple[Program, CommonSettings]] = []
    warnings: list[str] = []
    problems: list[str] = []
    for program in programs:
        try:
            settings = load_settings(program.settings_class, service=program.name, environ=environ, warnings=warnings)
            loaded.append((program, settings))
        except SettingsError as error:
            problems += error.sentences
    if problems:
        sys.stderr.write("\n".join(dict.fromkeys(problems)) + "\n")
        sys.exit(EXIT_SETTINGS)
    logs.configure(loaded[0][1].log_level.value, loaded[0][1].log_format.value)
    for warning in dict.fromkeys(warnings):
        log.warning("unknown setting", extra={"setting": warning})
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        code = runner.run(_serve(loaded))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of libraries must not keep a drained process alive


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed, asyncio's own otherwise."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop  # type: ignore[no-any-return]


async def _serve(loaded: Sequence[tuple[Program, CommonSettings]]) -> int:
    signals = StopSignals(asyncio.get_running_loop())
    longest = max(settings.drain_deadline for _, settings in loaded)
    services: list[Service] = []
    starting = asyncio.create_task(_start_all(loaded, services))
    asked = asyncio.create_task(signals.asked.wait())
    await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
    code = EXIT_DRAINED
    if starting.done() and (failure := starting.exception()) is not None:
        sys.stderr.write(f"{sentence(failure)}\n")
        code = EXIT_SETTINGS if isinstance(failure, SettingsError) else EXIT_START_FAILED
    else:
        await asked
    asked.cancel()
    hard_end = HardEnd(longest)
    deadline = time.monotonic() + longest * 0.95
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
    await asyncio.gather(*(service.stop(deadline) for service in reversed(services)))
    hard_end.cancel()
    signals.remove()
    return code


async def _start_all(loaded: Sequence[tuple[Program, CommonSettings]], services: list[Service]) -> None:
    for program, settings in loaded:
        try:
            service = program.bind(settings)
        except SettingsError:
            raise
        except Exception as error:
            log.error("service could not be wired", extra={"program": program.name}, exc_info=error)
            raise StartFailed(f"{program.name}: {sentence(error)}") from error
        services.append(service)
        await service.start()
