# ruff: noqa: RUF009 setting() is a dataclass field
"""Settings of the recording service: `JUNCTOR_RECORDING__<NAME>`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from junctor_service.settings import CommonSettings, Duration, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings(CommonSettings):
    """`cti_address` is needed."""

    directory: Path | None = setting("Where recordings lie; `recordings` in the state directory.", default=None)
    database: str = setting("The catalogue's URL; SQLite in the state directory if unset.", default="")
    rtp_host: str = setting("Our address for the copies of calls' audio.", default="127.0.0.1")
    rtp_port_min: int = setting("First UDP port for audio; 0: any.", default=0, minimum=0, maximum=65535)
    rtp_port_max: int = setting("Last UDP port for audio; 0: any.", default=0, minimum=0, maximum=65535)
    seal: bool = setting("Whether kept files are sealed. Off is for demonstrations.", default=True)
    retention: Duration = setting(
        "How long recordings are kept after they were sealed; 0: for ever.", default=Duration(0.0), minimum=0
    )

    @property
    def recordings_dir(self) -> Path:
        """Where recordings lie."""
        return (self.directory or self.state_dir / "recordings").absolute()

    @property
    def database_url(self) -> str:
        """The catalogue's URL."""
        return self.database or f"sqlite:///{(self.state_dir / 'recording.sqlite').absolute()}"

    @property
    def ports(self) -> list[int]:
        """The UDP ports to choose from; empty for any. Raises `ValueError` for a range that is none."""
        if not self.rtp_port_min and not self.rtp_port_max:
            return []
        if not 0 < self.rtp_port_min < self.rtp_port_max:
            raise ValueError(
                f"JUNCTOR_RECORDING__RTP_PORT_MIN={self.rtp_port_min} and "
                f"JUNCTOR_RECORDING__RTP_PORT_MAX={self.rtp_port_max} are no range of at least two ports."
            )
        return list(range(self.rtp_port_min, self.rtp_port_max + 1))
