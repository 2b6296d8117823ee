"""Settings of the directory."""

from __future__ import annotations

from dataclasses import dataclass

from junctor_service.settings import CommonSettings, setting

PROMPTS = ("welcome_menu", "invalid", "no_input", "please_wait", "closed", "goodbye", "overflow", "hold")


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySettings(CommonSettings):
    database: str = setting(
        "SQLAlchemy URL of the lists' read model; empty takes a SQLite file in the state directory.", default=""
    )
    prompts: tuple[str, ...] = setting("Prompts that flows may name: what can be played.", default=PROMPTS)

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.state_dir / 'directory.db'}"
