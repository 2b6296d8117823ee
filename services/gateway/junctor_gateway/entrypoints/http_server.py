"""The HTTP server as a component: uvicorn in the service's loop, without signals of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from junctor_service.drain import remaining
from junctor_service.setting_values import HostPort

log = logging.getLogger(__name__)

_POLL = 0.01
_KEEP_ALIVE = 30


class HttpServer:
    """Serves `app`. Stopping calls `drain`, takes no new connection, and lets requests finish until the deadline."""

    name = "http"

    def __init__(self, app: Any, listen: HostPort, drain: Callable[[], None], concurrency_limit: int) -> None:
        self._listen = listen
        self._drain = drain
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            limit_concurrency=concurrency_limit,
            ws="none",
        )
        self._server = _Uvicorn(config)
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return self._server.started and self._task is not None and not self._task.done()

    @property
    def port(self) -> int:
        """The port that it listens on; 0 before the start."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    async def start(self) -> None:
        """Listens. Raises `OSError` with a sentence if the address cannot be listened on."""
        family = socket.AF_INET6 if ":" in self._listen.host else socket.AF_INET
        # asyncio turns Nagle's algorithm off only for sockets that name their protocol; else answers wait 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((self._listen.host, self._listen.port))
        except OSError as error:
            listening.close()
            raise OSError(f"{self._listen} cannot be listened on: {error.strerror}") from error
        self._socket = listening
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="http")
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise OSError(f"{self._listen} is not served")
            await asyncio.sleep(_POLL)
        log.info("HTTP server listens", extra={"address": f"{self._listen.host}:{self.port}"})

    async def stop(self, deadline: float) -> None:
        """Ends streams, waits for requests under way, then closes what is left."""
        self._drain()
        self._server.should_exit = True
        if self._task is None:
            return
        done, _ = await asyncio.wait({self._task}, timeout=remaining(deadline) * 0.8)
        if not done:
            self._server.force_exit = True
            await asyncio.wait({self._task}, timeout=remaining(deadline))


class _Uvicorn(uvicorn.Server):
    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """As the base class, whose handling of signals the service does itself."""
        await self._serve(sockets)
