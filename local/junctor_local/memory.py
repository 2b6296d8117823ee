"""Memory of processes as they share it: PSS, proportional set size (proc(5), smaps_rollup)."""

from pathlib import Path

import psutil


def pss_bytes(pid: int, descendants: bool = True) -> int:
    """The PSS of a process (and its descendants) in bytes; 0 for what has ended. PermissionError for another user's."""
    try:
        process = psutil.Process(pid)
        family = [process, *(process.children(recursive=True) if descendants else ())]
    except psutil.NoSuchProcess:
        return 0
    return sum(_pss(member.pid) for member in family)


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
