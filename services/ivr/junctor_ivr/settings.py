"""Settings of the ivr service. It has none of its own: flows come from the directory."""

from __future__ import annotations

from dataclasses import dataclass

from junctor_service.settings import CommonSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class IvrSettings(CommonSettings):
    """`cti_address` is needed."""
