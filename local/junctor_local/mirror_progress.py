"""Whether a MirrorMaker copies, by its log: a task of Kafka Connect that fails once stays failed, and the process runs on."""

from __future__ import annotations

from pathlib import Path

# Of MirrorSourceTask, at the beginning and at the end of each life of a task.
_BEGINS, _ENDS = b"MirrorSourceConnector-0 replicating", b"MirrorSourceTask - Stopping"


class MirrorProgress:
    """Reads what was written to `log` since it was made."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = log.stat().st_size if log.exists() else 0
        self.copying = False
        self.began = False

    def look(self) -> bool:
        """Whether a task copies now, by all that was written so far."""
        if not self._log.exists():
            return False
        with self._log.open("rb") as log:
            log.seek(self._read)
            written = log.read()
        written = written[: written.rfind(b"\n") + 1]
        self._read += len(written)
        begins, ends = written.rfind(_BEGINS), written.rfind(_ENDS)
        if begins != ends:
            self.copying = begins > ends
        self.began = self.began or self.copying
        return self.copying
