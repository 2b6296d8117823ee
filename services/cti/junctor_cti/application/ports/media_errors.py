"""What can go wrong between cti and the media process."""

from __future__ import annotations


class MediaError(Exception):
    """A media command was not done. `retryable`: the same command may succeed later (no answer, no free ports)."""

    def __init__(self, command: str, reason: str, *, retryable: bool = False) -> None:
        super().__init__(f"{command}: {reason}")
        self.command = command
        self.reason = reason
        self.retryable = retryable


class MediaCallUnknown(MediaError):
    """The media process does not know the call: it was restarted, or deleted the call after silence.

    Repeating the command does not help; offer and answer from the journal, and a re-INVITE of both legs, do.
    """


class UnusableSdp(MediaError):
    """An SDP without audio that can be relayed: to be refused with 488 (RFC 3261 section 21.4.26)."""


class PlayFailed(MediaError):
    """The prompt is not heard: no such file, or not 16-bit 8 kHz mono PCM. Not retryable."""
