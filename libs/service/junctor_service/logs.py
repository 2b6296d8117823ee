"""Log lines: one JSON object each, with who, where and which contact; or words for a terminal.

A message is static; values are `extra` fields. Protobuf values are shown without personal data.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from opentelemetry import trace

from junctor_service.redaction import shown

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_service: ContextVar[tuple[str, str]] = ContextVar("junctor_log_service", default=("", ""))
_fields: ContextVar[dict[str, Any]] = ContextVar("junctor_log_fields", default={})  # noqa: B039 never changed in place


def set_service(service: str, site: str) -> None:
    """From here on, in this context and the tasks made in it, lines are of this service."""
    _service.set((service, site))


@contextmanager
def fields(**values: Any) -> Iterator[None]:
    """Inside, every line has these fields: `tenant=…, contact_id=…`."""
    token = _fields.set({**_fields.get(), **values})
    try:
        yield
    finally:
        _fields.reset(token)


# What libraries say of their everyday work. A coordinator or a topic that is not there yet is told as an error, fifty times a
# second; who waits for it says so once.
LIBRARIES = {
    "aiokafka": logging.WARNING,
    "aiokafka.cluster": logging.CRITICAL,
    "aiokafka.consumer.group_coordinator": logging.CRITICAL,
    "httpx": logging.WARNING,
}


def configure(level: str = "info", form: str = "json", stream: TextIO | None = None) -> logging.Handler:
    """Makes the process's root logger write to `stream` (standard error), replacing what an earlier call set up."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler.formatter, JsonLines | Words):
            root.removeHandler(handler)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else Words())
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, lowest in LIBRARIES.items():
        logging.getLogger(name).setLevel(lowest)
    return handler


class JsonLines(logging.Formatter):
    """time (RFC 3339, UTC, ms), level, service, site, logger, message, trace_id, span_id, the fields, the error."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without a line break."""
        return json.dumps(line_of(record), ensure_ascii=False, default=str)


class Words(logging.Formatter):
    """The same for a person: time level service logger: message name=value …"""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it where there is one."""
        line = line_of(record)
        time, level, service, logger = (line.pop(name) for name in ("time", "level", "service", "logger"))
        head = f"{time} {level:7} {service} {logger}: {line.pop('message')}"
        error = line.pop("error", None)
        line.pop("site")
        words = " ".join(f"{name}={value}" for name, value in line.items())
        return "".join([head, " " if words else "", words, "\n" + error["traceback"] if error else ""])


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a line in their order."""
    service, site = _service.get()
    context = trace.get_current_span().get_span_context()
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "service": service or _service_of(record.name),
        "site": site,
        "logger": record.name,
        "message": _message(record),
    }
    if context.is_valid:
        line["trace_id"] = f"{context.trace_id:032x}"
        line["span_id"] = f"{context.span_id:016x}"
    for name, value in _fields.get().items():
        line[name] = shown(name, value)
    for name, value in vars(record).items():
        if name not in _STANDARD:
            line[name] = shown(name, value)
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        line["error"] = {
            "type": type(error).__name__,
            "text": str(error),
            "traceback": "".join(traceback.format_exception(error)).rstrip(),
        }
    return line


def _message(record: logging.LogRecord) -> str:
    """The message with its arguments (libraries use them), each shown as a field would be."""
    if not record.args:
        return str(record.msg)
    if isinstance(record.args, dict):
        args: Any = {name: shown(name, value) for name, value in record.args.items()}
    else:
        args = tuple(shown("", value) for value in record.args)
    try:
        return str(str(record.msg) % args)
    except (TypeError, ValueError):
        return str(record.msg)


def _service_of(logger: str) -> str:
    """The service by its package's name, for lines of threads, which have no context."""
    package = logger.partition(".")[0]
    return package.removeprefix("junctor_") if package.startswith("junctor_") else ""
