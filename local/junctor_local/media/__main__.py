"""`python -m junctor_local.media --ng 127.0.0.1:2223 --dtmf-log 127.0.0.1:2224 --port-min 30000 --port-max 39999`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import logging
import resource
import signal
import sys
from collections.abc import Callable

from junctor_local.media.server import MediaOptions, MediaServer

log = logging.getLogger("junctor_media")


def main(arguments: list[str] | None = None) -> int:
    """0 after SIGTERM or SIGINT; 2 with a line on stderr for a wrong option or an address in use."""
    try:
        options = _options(arguments)
    except ValueError as error:
        print(f"junctor-media: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _allow_many_sockets()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(options))


async def _serve(options: MediaOptions) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = MediaServer(options)
    try:
        host, port = await server.start()
    except OSError as error:
        print(f"junctor-media: --ng {options.ng[0]}:{options.ng[1]}: {error.strerror}", file=sys.stderr)
        return 2
    log.info("ready on %s:%d, media ports %d-%d", host, port, options.port_low, options.port_high)
    await stop.wait()
    server.close()
    return 0


def _options(arguments: list[str] | None) -> MediaOptions:
    parser = argparse.ArgumentParser(prog="junctor-media", description=__doc__)
    parser.add_argument("--ng", required=True, help="address of the control socket, host:port (UDP)")
    parser.add_argument("--dtmf-log", help="where digits are reported to, host:port (UDP)")
    parser.add_argument("--port-min", type=int, default=30000, help="first media port")
    parser.add_argument("--port-max", type=int, default=39999, help="last media port")
    parser.add_argument("--interface", default="127.0.0.1", help="the address that phones send to")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds without a packet that end a call")
    given = parser.parse_args(arguments)
    if not 1024 <= given.port_min < given.port_max <= 65535:
        raise ValueError(f"--port-min {given.port_min} --port-max {given.port_max}: no range within 1024-65535")
    digits = _address("--dtmf-log", given.dtmf_log) if given.dtmf_log else None
    return MediaOptions(
        _address("--ng", given.ng), digits, given.port_min, given.port_max, given.interface, given.timeout
    )


def _address(option: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{option} {text}: not host:port")
    return host.strip("[]"), int(port)


def _allow_many_sockets() -> None:
    """Four sockets a call: take as many file descriptors as the system grants."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return factory


if __name__ == "__main__":
    sys.exit(main())
