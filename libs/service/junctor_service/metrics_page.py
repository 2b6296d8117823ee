"""A service's metrics for Prometheus: GET /metrics in the text exposition format 0.0.4.

A listed name `junctor.rpc.server_duration` [ms] is `junctor_rpc_server_duration_ms`; a histogram gives `…_sum` and `…_count`. All
have the labels `service` and `site`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence

from junctor_service.metric_rows import Point
from junctor_service.server import PortTaken
from junctor_service.setting_values import HostPort
from junctor_service.telemetry_names import METRICS

_REQUEST_LIMIT = 8192
_REQUEST_SECONDS = 5.0
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")


def exposition(points: Sequence[Point], labels: Mapping[str, str]) -> str:
    """The points as Prometheus reads them, by name; `labels` are added to each."""
    by_name: dict[str, list[Point]] = {}
    for point in points:
        by_name.setdefault(point.name, []).append(point)
    lines: list[str] = []
    for name, found in sorted(by_name.items()):
        shown = _NOT_IN_NAMES.sub("_", f"{name}_{found[0].unit}" if found[0].unit == "ms" else name)
        summary = any(point.count for point in found)
        lines.append(f"# HELP {shown} {METRICS.get(name, name)}")
        lines.append(f"# TYPE {shown} {'summary' if summary else 'untyped'}")
        for point in found:
            own = _labels({**labels, **{key: str(value) for key, value in dict(point.attributes).items()}})
            if summary:
                lines.append(f"{shown}_sum{own} {_number(point.value)}")
                lines.append(f"{shown}_count{own} {point.count}")
            else:
                lines.append(f"{shown}{own} {_number(point.value)}")
    return "\n".join([*lines, ""])


def _labels(labels: Mapping[str, str]) -> str:
    written = (f'{_NOT_IN_NAMES.sub("_", key)}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return "{" + ",".join(written) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return repr(float(value))


class MetricsPage:
    """A component that serves the metrics on `listen`; they have nothing personal and need no token."""

    name = "metrics page"

    def __init__(self, listen: HostPort, points: Callable[[], Sequence[Point]], labels: Mapping[str, str]) -> None:
        self._listen = listen
        self._points = points
        self._labels = labels
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def ready(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def start(self) -> None:
        """Listens. Raises `PortTaken`."""
        host = self._listen.host.strip("[]")
        try:
            self._server = await asyncio.start_server(self._serve, host, self._listen.port, limit=_REQUEST_LIMIT)
        except OSError as error:
            raise PortTaken(self._listen, str(error.strerror)) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self, deadline: float) -> None:
        """Ends at once."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        status, body = "200 OK", ""
        if method not in {b"GET", b"HEAD"}:
            status = "405 Method Not Allowed"
        elif path != b"/metrics":
            status = "404 Not Found"
        else:
            body = exposition(self._points(), self._labels)
        content = body.encode()
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {_CONTENT_TYPE}", f"Content-Length: {len(content)}"]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + (b"" if method == b"HEAD" else content)
