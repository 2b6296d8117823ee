"""What the command line knows of a site that another process runs: `state.json` in the site's folder."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

Phase = Literal["starting", "ready", "stopping", "failed"]
_SAME_START = 1.0


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A process by id and start time (Unix seconds), so that a reused id is not mistaken for it."""

    pid: int
    started: float

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) < _SAME_START and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@dataclass(frozen=True, slots=True)
class ComponentState:
    """One component: its process if it runs, whether it shall run, how often it came back, its address and log."""

    process: ProcessState | None
    wanted: bool
    restarts: int
    address: str
    log: str


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site as its supervisor last wrote it. `environment` holds secrets: the file has mode 0600."""

    site: str
    directory: str
    supervisor: ProcessState
    phase: Phase
    failure: str = ""
    all_in_one: bool = False
    components: dict[str, ComponentState] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        """Whether the supervisor runs."""
        return self.supervisor.alive


def this_process() -> ProcessState:
    """The calling process."""
    return process_state(os.getpid())


def process_state(pid: int) -> ProcessState:
    """The process with this id; psutil.NoSuchProcess if there is none."""
    return ProcessState(pid, psutil.Process(pid).create_time())


def read(directory: Path) -> SiteState | None:
    """The site's state; None if no site was ever started there. ValueError if the file is damaged."""
    path = _path(directory)
    try:
        kept: dict[str, Any] = json.loads(path.read_text())
        kept["supervisor"] = ProcessState(**kept["supervisor"])
        kept["components"] = {name: _component(value) for name, value in kept["components"].items()}
        return SiteState(**kept)
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove it once no process of the site runs") from error


def write(state: SiteState) -> None:
    """Replaces the file as a whole, so that a reader never sees half of it."""
    path = _path(Path(state.directory))
    partial = path.with_suffix(".new")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(state), file, indent=1)
    partial.replace(path)


def _component(kept: dict[str, Any]) -> ComponentState:
    process = kept["process"]
    return ComponentState(**{**kept, "process": ProcessState(**process) if process else None})


def _path(directory: Path) -> Path:
    return directory / "state.json"
