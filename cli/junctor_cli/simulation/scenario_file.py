"""The scenario file of `junctor simulate`: text to the day that it describes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from junctor_router.application.distributions import (
    Constant,
    Distribution,
    Exponential,
    LogNormal,
    Recorded,
    Uniform,
)
from junctor_router.application.scenario import Rate, Scenario, Shift, Traffic
from junctor_router.domain.commands import ConfigurationChanged
from junctor_router.domain.values import CHANNELS

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
_CHANNELS = {channel.name.lower(): channel for channel in CHANNELS}
_MOST_COPIES = 5_000


class ScenarioMistake(Exception):
    """What is wrong in the file, with the place in it: `queues.loans.handle: ...`."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Agents `<like>-1`, `<like>-2`, ... who are as another agent is."""

    like: str
    count: int


@dataclass(frozen=True, slots=True)
class _Hours:
    begins: int
    ends: int
    breaks: tuple[tuple[int, int], ...]


def read(path: Path, zone: str) -> ScenarioFile:
    """Raises `ScenarioMistake`, OSError. `zone` (IANA) is where the times of day are."""
    try:
        root = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScenarioMistake(f"{path}: this is no YAML: {' '.join(str(error).split())}") from error
    try:
        return ScenarioFile(_mapping(root, "the file"), zone)
    except ScenarioMistake as mistake:
        raise ScenarioMistake(f"{path}: {mistake}") from mistake


class ScenarioFile:
    def __init__(self, root: dict[str, Any], zone: str) -> None:
        _only(root, "the file", {"date", "from", "to", "warm_up", "cool_down", "answer", "queues", "shifts"})
        try:
            self._midnight = datetime.fromisoformat(root.get("date", "2026-03-02")).replace(tzinfo=ZoneInfo(zone))
        except (ValueError, OSError) as error:
            raise ScenarioMistake(f"date: a day like 2026-03-02 is expected ({error})") from error
        self._begins = self._moment(root.get("from", "00:00"), "from")
        self._ends = self._moment(root.get("to", "24:00"), "to")
        if self._ends <= self._begins:
            raise ScenarioMistake("to: it is not after `from`; a time of the next day is written 26:00")
        self._frame = Scenario(
            self._begins,
            self._ends,
            (),
            (),
            _distribution(root.get("answer", "0s"), "answer"),
            _duration(root.get("warm_up", "0s"), "warm_up"),
            _duration(root.get("cool_down", "0s"), "cool_down"),
        )
        queues = _mapping(root.get("queues", {}), "queues")
        self._traffic = [self._queue(name, value) for name, value in queues.items()]
        self._shifts = [self._shift(n, value) for n, value in enumerate(_items(root.get("shifts", []), "shifts"))]

    def queues(self) -> set[str]:
        return {traffic.queue for traffic in self._traffic}

    def for_pool(self, told: list[ConfigurationChanged]) -> tuple[list[ConfigurationChanged], Scenario]:
        """What the pool is told, copies of agents included, and its part of the day."""
        queues = {change.id for change in told if change.kind == "queue"}
        agents = {change.id: change for change in told if change.kind == "agent"}
        shifts: list[Shift] = []
        copies: list[ConfigurationChanged] = []
        for names, hours in self._shifts:
            if isinstance(names, Copies):
                like = agents.get(names.like)
                made = [replace(like, id=f"{names.like}-{n + 1}") for n in range(names.count)] if like else []
                copies += made
                chosen = [change.id for change in made]
            else:
                chosen = sorted(agents) if names is None else [name for name in names if name in agents]
            shifts += [Shift(name, hours.begins, hours.ends, hours.breaks) for name in chosen]
        traffic = tuple(one for one in self._traffic if one.queue in queues)
        return [*told, *copies], replace(self._frame, traffic=traffic, shifts=tuple(shifts))

    def unknown(self, known_queues: set[str], known_agents: set[str]) -> list[str]:
        """A sentence for each queue and agent that the tenant file does not have."""
        named: set[str] = set()
        for names, _ in self._shifts:
            named |= {names.like} if isinstance(names, Copies) else set(names or ())
        return [
            f"queues.{queue}: the tenant file has no such queue" for queue in sorted(self.queues() - known_queues)
        ] + [f"shifts: the tenant file has no agent {name}" for name in sorted(named - known_agents)]

    def _queue(self, name: str, value: Any) -> Traffic:
        place = f"queues.{name}"
        fields = _mapping(value, place)
        _only(
            fields,
            place,
            {"channel", "per_hour", "arrivals", "handle", "patience", "wrap_up", "requirements", "data"},
        )
        channel = fields.get("channel", "voice")
        if channel not in _CHANNELS:
            raise ScenarioMistake(f"{place}.channel: '{channel}' is none of {', '.join(_CHANNELS)}")
        if "handle" not in fields:
            raise ScenarioMistake(f"{place}.handle: how long a contact is served is missing")
        optional = {
            name: _distribution(fields[name], f"{place}.{name}") for name in ("patience", "wrap_up") if name in fields
        }
        return Traffic(
            name,
            tuple(self._rates(fields, place)),
            _distribution(fields["handle"], f"{place}.handle"),
            _CHANNELS[channel],
            requirements=tuple(_items(fields.get("requirements", []), f"{place}.requirements")),
            data={k: str(v) for k, v in _mapping(fields.get("data", {}), f"{place}.data").items()},
            **optional,
        )

    def _rates(self, fields: dict[str, Any], place: str) -> Iterable[Rate]:
        if ("per_hour" in fields) == ("arrivals" in fields):
            raise ScenarioMistake(f"{place}: give `per_hour` for the whole time or `arrivals` by times of day")
        if "per_hour" in fields:
            yield Rate(self._begins, self._ends, _number(fields["per_hour"], f"{place}.per_hour"))
            return
        for number, item in enumerate(_items(fields["arrivals"], f"{place}.arrivals")):
            here = f"{place}.arrivals.{number}"
            entry = _mapping(item, here)
            _only(entry, here, {"from", "to", "per_hour"})
            hours = self._hours(entry, here)
            yield Rate(hours.begins, hours.ends, _number(entry.get("per_hour", ""), f"{here}.per_hour"))

    def _shift(self, number: int, value: Any) -> tuple[list[str] | Copies | None, _Hours]:
        place = f"shifts.{number}"
        fields = _mapping(value, place)
        _only(fields, place, {"agents", "like", "count", "from", "to", "breaks"})
        if ("agents" in fields) == ("like" in fields):
            raise ScenarioMistake(f"{place}: give `agents` (names, or all) or `like` and `count`")
        hours = self._hours(fields, place)
        if "like" in fields:
            count = _number(fields.get("count", "1"), f"{place}.count")
            if not 1 <= count <= _MOST_COPIES or count != int(count):
                raise ScenarioMistake(f"{place}.count: 1 to {_MOST_COPIES} is expected")
            return Copies(fields["like"], int(count)), hours
        return None if fields["agents"] == "all" else _items(fields["agents"], f"{place}.agents"), hours

    def _hours(self, fields: dict[str, Any], place: str) -> _Hours:
        begins = self._moment(fields["from"], f"{place}.from") if "from" in fields else self._begins
        ends = self._moment(fields["to"], f"{place}.to") if "to" in fields else self._ends
        if ends <= begins:
            raise ScenarioMistake(f"{place}.to: it is not after `from`")
        breaks = []
        for number, item in enumerate(_items(fields.get("breaks", []), f"{place}.breaks")):
            inner = self._hours(_mapping(item, f"{place}.breaks.{number}"), f"{place}.breaks.{number}")
            breaks.append((inner.begins, inner.ends))
        return _Hours(begins, ends, tuple(breaks))

    def _moment(self, text: str, place: str) -> int:
        match = re.fullmatch(r"(\d{1,2}):([0-5]\d)", str(text))
        if match is None:
            raise ScenarioMistake(f"{place}: a time like 08:30 is expected, not '{text}'")
        moment = self._midnight + timedelta(hours=int(match[1]), minutes=int(match[2]))
        return round(moment.timestamp() * 1_000)


def _distribution(value: Any, place: str) -> Distribution:
    """`20s`, or one of `{exponential: 3m}`, `{lognormal: 3m, variation: 0.8}`, `{uniform: [1m, 3m]}`, `{recorded: [..]}`."""
    if isinstance(value, str):
        return Constant(_duration(value, place))
    match _mapping(value, place):
        case {"exponential": mean, **rest} if not rest:
            return Exponential(_positive(mean, place))
        case {"constant": mean, **rest} if not rest:
            return Constant(_duration(mean, place))
        case {"lognormal": mean, "variation": variation, **rest} if not rest:
            return LogNormal(_positive(mean, place), _number(variation, f"{place}.variation"))
        case {"uniform": [low, high], **rest} if not rest:
            return Uniform(_duration(low, place), _duration(high, place))
        case {"recorded": [_, *_] as values, **rest} if not rest:
            return Recorded(tuple(_duration(one, place) for one in values))
    raise ScenarioMistake(
        f"{place}: a time like 3m is expected, or {{exponential: 3m}}, {{lognormal: 3m, variation: 0.8}}, "
        "{uniform: [1m, 3m]}, {recorded: [70s, 95s]}"
    )


def _duration(text: Any, place: str) -> int:
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ScenarioMistake(f"{place}: a time like 20s, 500ms, 2m or 1h is expected, not '{text}'")
    return round(float(match[1]) * _UNITS[match[2]])


def _positive(text: Any, place: str) -> int:
    found = _duration(text, place)
    if found == 0:
        raise ScenarioMistake(f"{place}: the mean is to be above 0")
    return found


def _number(text: Any, place: str) -> float:
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        raise ScenarioMistake(f"{place}: a number is expected, not '{text}'")
    return float(text)


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScenarioMistake(f"{place}: names with values (`name: value`) are expected")
    return value


def _items(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise ScenarioMistake(f"{place}: a list is expected")
    return value


def _only(fields: dict[str, Any], place: str, known: set[str]) -> None:
    for name in fields:
        if name not in known:
            raise ScenarioMistake(f"{place}: '{name}' is unknown; there are {', '.join(sorted(known))}")
