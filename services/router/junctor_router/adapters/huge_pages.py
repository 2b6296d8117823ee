"""The process's memory in pages of 2 MB, where Linux gives them to those who ask.

The objects of a state lie all over some hundred megabytes. In pages of 4 KB nearly each that is looked at costs a walk
through the page tables first, and in a virtual machine through those of the host as well. Asked for is what is there
(madvise(2), MADV_COLLAPSE, since Linux 6.1); where the kernel does not know that, everything stays as it is.
"""

from __future__ import annotations

import ctypes
import logging
import re
import threading
import time
from pathlib import Path

log = logging.getLogger(__name__)

PAGE = 2 << 20
TOLD_FROM = 16 << 20
"""Bytes from which on it is in the log."""
EVERY_SECONDS = 10
PAUSE_SECONDS = 0.1
"""After each page: the kernel copies one in some milliseconds, in which a page that is missing is waited for."""
_COLLAPSE = 25
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ (\d+) *(\S*)", re.MULTILINE)


class HugePages:
    """`collapse` may be called from any thread, one at a time; the interpreter's lock is free while the kernel copies."""

    def __init__(self) -> None:
        self._madvise = ctypes.CDLL(None).madvise
        self._madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self._large: set[int] = set()

    def collapse(self, pause: float = 0.0) -> int:
        """Asks for all that is not in large pages yet, and waits so many seconds after each. The bytes that are in them now, as
        far as was asked."""
        self._large = {start for start in _ranges() if start in self._large or self._asked(start, pause)}
        return len(self._large) * PAGE

    def _asked(self, start: int, pause: float) -> bool:
        done = bool(self._madvise(start, PAGE, _COLLAPSE) == 0)
        time.sleep(pause)
        return done


def _ranges() -> list[int]:
    """Addresses of the process's own memory, aligned, of PAGE bytes each. What lies behind a guard page is a thread's stack, of
    which little is used: it is left alone."""
    found: list[int] = []
    guard = 0
    for match in _MAPPING.finditer(Path("/proc/self/maps").read_text()):
        since, until = int(match[1], 16), int(match[2], 16)
        if match[3] == "---p":
            guard = until
        elif match[3] == "rw-p" and match[4] == "0" and match[5] in ("", "[heap]") and since != guard:
            found += range(-(-since // PAGE) * PAGE, until // PAGE * PAGE, PAGE)
    return found


_started = threading.Event()


def keep_in_huge_pages() -> None:
    """For the whole process, now and then, as it grows; said again it changes nothing."""
    if not _started.is_set():
        _started.set()
        threading.Thread(target=_keep, name="huge pages", daemon=True).start()


def _keep() -> None:
    pages, before = HugePages(), 0
    while True:
        time.sleep(EVERY_SECONDS)
        try:
            large = pages.collapse(PAUSE_SECONDS)
        except OSError as error:
            log.info("memory stays in small pages", extra={"reason": str(error)})
            return
        if large >= 2 * before + TOLD_FROM:
            log.info("memory in large pages", extra={"megabytes": large >> 20})
            before = large
