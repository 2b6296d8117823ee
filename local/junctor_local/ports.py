"""Free TCP and UDP ports that no parallel test or site takes in the meantime."""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path

# Below Linux's range for outgoing connections (32768-60999), so that a stopped server gets its port back.
_RANGES, _SINGLES = range(20000, 28000), range(28000, 32000)
# Ranges of at least so many ports lie apart, where single ports do not fill the space with holes.
_LARGE = 16
_reserved: dict[int, int] = {}


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for TCP and UDP on `host` and stays reserved for this process until it ends.

    Raises OSError if none of the range is free.
    """
    return free_ports(1, host)[0]


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """`count` consecutive ports like `free_port`'s; media needs pairs and ranges."""
    folder = Path(tempfile.gettempdir()) / f"junctor-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    chooser = random.SystemRandom()
    space = _RANGES if count >= _LARGE else _SINGLES
    for _ in range(2000):
        first = chooser.randrange(space.start, space.stop + 1 - count)
        ports = list(range(first, first + count))
        if not any(port in _reserved for port in ports) and _reserve(folder, host, ports):
            return ports
    raise OSError(f"no {count} consecutive free ports on {host} between {space.start} and {space.stop - 1}")


def release(ports: Iterable[int]) -> None:
    """Gives up the reservation of ports that nothing of this process listens on any more."""
    for port in ports:
        lock = _reserved.pop(port, None)
        if lock is not None:
            os.close(lock)


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `port` now, by TCP and by UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # As servers do: what only waits in TIME_WAIT does not hold the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def _reserve(folder: Path, host: str, ports: list[int]) -> bool:
    taken: dict[int, int] = {}
    for port in ports:
        lock = os.open(folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            break
        taken[port] = lock
        if not port_is_free(port, host):
            break
    else:
        _reserved.update(taken)
        return True
    for lock in taken.values():
        os.close(lock)
    return False
