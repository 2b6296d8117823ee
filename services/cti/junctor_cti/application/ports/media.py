"""The media server as `cti` uses it. Errors are in `media_errors`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

Side = Literal["caller", "agent"]


class HeardDigit(NamedTuple):
    """A digit (RFC 4733) that the media server heard; it may be secret and is never logged."""

    call_id: str
    side: Side
    digit: str


class Copy(Protocol):
    """A fork; `sdp` is the media server's offer to the receiver."""

    @property
    def sdp(self) -> str: ...


class MediaPort(Protocol):
    """Every call is found again by its id, whichever process asks."""

    async def answer_first(self, call_id: str, caller_sdp: str) -> str: ...

    async def offer_far(self, call_id: str, caller_sdp: str) -> str: ...

    async def connect_far(self, call_id: str, agent_sdp: str) -> str: ...

    async def play(self, call_id: str, prompt: Path | bytes, repeat: int = 1) -> int:
        """Milliseconds of one play."""
        ...

    async def stop_play(self, call_id: str) -> None: ...

    async def fork(self, call_id: str, side: Side, to: tuple[str, int]) -> Copy: ...

    async def delete(self, call_id: str) -> None: ...


class PromptFiles(Protocol):
    """Prompts by id."""

    def wav(self, prompts: tuple[str, ...], language: str) -> Path | bytes:
        """What the media server plays. Raises `FileNotFoundError` naming the prompt."""
        ...
