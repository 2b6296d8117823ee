"""Does a configuration make sense: every reference leads somewhere, every value is in its range.

`check` judges a whole configuration. What was wrong before a change does not stand in its way: see `new_problems`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from junctor.contact.v1 import contact_pb2
from junctor.directory.v1 import directory_pb2 as pb

from junctor_directory.application.calendars import check_calendar
from junctor_directory.application.expressions import NotCel, names_in
from junctor_directory.application.flows import check_flow
from junctor_directory.application.problems import Findings, Place, Problem, listed
from junctor_directory.domain.configuration import Name

Values = Mapping[Name, pb.Value]

DEFAULT_POOL = "default"
CHANNELS = tuple(name.removeprefix("CHANNEL_").lower() for name in contact_pb2.Channel.keys()[1:])
TREATMENTS = ("message", "voicemail", "callback", "disconnect")
MAX_CAPACITY = 100
HA1_LENGTHS = {"MD5": 32, "SHA-256": 64}
MAX_PARTITION = 11
_SLUG = re.compile(r"[a-z0-9+][a-z0-9._+-]{0,62}")
_PROMPT = re.compile(r"[a-z0-9_.-]+")
_NUMBER = re.compile(r"\+?[0-9]{1,32}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_ORIGIN = re.compile(r"https?://[^/\s]+")
_ROOTS = frozenset({"data", "agent", "attributes"})
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def check(values: Values, prompts: frozenset[str]) -> Findings:
    """All problems and warnings of the configuration. `prompts` are the prompts that can be played."""
    findings = Findings()
    checker = _Checker(values, prompts)
    for name in sorted(values):
        place = findings.at(*name)
        if not _SLUG.fullmatch(name.id):
            place.problem("", "an id has 1 to 63 lower case letters, digits, '-', '_', '.' or '+'")
        getattr(checker, name.kind)(place, getattr(values[name], name.kind))
    return findings


def new_problems(before: Findings, after: Findings) -> list[Problem]:
    """The problems that the change brings."""
    known = set(before.problems)
    return [problem for problem in after.problems if problem not in known]


class _Checker:
    """One method for each kind."""

    def __init__(self, values: Values, prompts: frozenset[str]) -> None:
        self._prompts = prompts
        self._ids: dict[str, list[str]] = defaultdict(list)
        self._attributes = {name.id: value.attribute.type for name, value in values.items() if name.kind == "attribute"}
        self._devices: dict[str, list[str]] = defaultdict(list)
        self._parents = {name.id: value.unit.parent for name, value in values.items() if name.kind == "unit"}
        for name in sorted(values):
            self._ids[name.kind].append(name.id)
            if name.kind == "agent" and values[name].agent.device:
                self._devices[values[name].agent.device].append(name.id)
        self._pools_with_agents = {
            value.agent.pool or DEFAULT_POOL for name, value in values.items() if name.kind == "agent"
        }

    def tenant(self, place: Place, value: pb.Tenant) -> None:
        if place.id != "self":
            place.problem("", "the organisation's settings have the id 'self'")
        self._time_zone(place, value.time_zone)
        self._language(place, value.language)

    def pool(self, place: Place, value: pb.Pool) -> None:
        if value.HasField("partition") and value.partition > MAX_PARTITION:
            place.problem("partition", f"partition {value.partition} is above {MAX_PARTITION}")

    def attribute(self, place: Place, value: pb.Attribute) -> None:
        if value.type == pb.ATTRIBUTE_TYPE_UNSPECIFIED:
            place.problem("type", "a type is needed: proficiency, boolean, text or number")

    def agent(self, place: Place, value: pb.Agent) -> None:
        for slug, text in sorted(value.attributes.items()):
            place.known(f"attributes/{slug}", "attribute", slug, self._attributes)
            wrong = _wrong_attribute_value(self._attributes.get(slug), text)
            if wrong:
                place.problem(f"attributes/{slug}", f"attribute '{slug}' is {wrong}, not '{text}'")
        twins = [other for other in self._devices.get(value.device, ()) if other != place.id]
        if value.device and twins:
            place.problem("device", f"phone '{value.device}' is already that of agent '{twins[0]}'")
        for algorithm, ha1 in sorted(value.device_ha1.items()):
            length = HA1_LENGTHS.get(algorithm)
            if length is None:
                place.problem("device_ha1", f"'{algorithm}' is no digest algorithm; use MD5 or SHA-256")
            elif not re.fullmatch(f"[0-9a-f]{{{length}}}", ha1):
                place.problem("device_ha1", f"the {algorithm} hash of the phone's password has {length} hex digits")
        if value.device and not value.device_ha1:
            place.warning("device", f"phone '{value.device}' has no password, so it cannot register")
        for channel, most in sorted(value.capacity.items()):
            if channel not in CHANNELS:
                place.problem(f"capacity/{channel}", f"'{channel}' is no channel; channels: {', '.join(CHANNELS)}")
            if most > MAX_CAPACITY:
                place.problem(f"capacity/{channel}", f"{most} contacts at once on '{channel}' are above {MAX_CAPACITY}")
        self._pool(place, value.pool)
        place.known("unit", "unit", value.unit, self._ids["unit"])

    def queue(self, place: Place, value: pb.Queue) -> None:
        if not value.plan:
            place.problem("plan", f"a plan is needed; {listed('plan', self._ids['plan'])}")
        place.known("plan", "plan", value.plan, self._ids["plan"])
        place.known("calendar", "calendar", value.calendar, self._ids["calendar"])
        self._pool(place, value.pool)
        if value.service_level_percent > 100:
            place.problem("service_level_percent", f"{value.service_level_percent} percent are above 100")
        self._priority(place, "priority", value.priority)
        for field in ("service_level_ms", "wrap_up_ms", "offer_timeout_ms"):
            self._duration(place, field, getattr(value, field))
        self._prompt_or_text(place, "closed_prompt", value.closed_prompt)
        if (value.pool or DEFAULT_POOL) not in self._pools_with_agents:
            place.warning("pool", "no agent is in its pool, so its contacts will wait in vain")

    def plan(self, place: Place, value: pb.Plan) -> None:
        if not value.steps:
            place.problem("steps", "at least one step is needed")
        for number, step in enumerate(value.steps):
            path = f"steps/{number}"
            self._expression(place, f"{path}/expression", step.expression)
            self._duration(place, f"{path}/duration_ms", step.duration_ms)
            self._duration(place, f"{path}/skip_if_wait_above_ms", step.skip_if_wait_above_ms)
            self._priority(place, f"{path}/priority", step.priority)
            if not step.duration_ms and number + 1 < len(value.steps):
                place.warning(f"{path}/duration_ms", f"step {number + 1} has no end, so the steps after it never come")
        queue = value.overflow.removeprefix("queue:")
        if queue != value.overflow:
            if not queue:
                place.problem("overflow", "a queue is needed after 'queue:'")
            place.known("overflow", "queue", queue, self._ids["queue"])
        elif value.overflow and value.overflow not in TREATMENTS:
            place.problem(
                "overflow", f"'{value.overflow}' is no treatment; use {', '.join(TREATMENTS)} or queue:<slug>"
            )
        self._prompt_or_text(place, "overflow_prompt", value.overflow_prompt)

    def number(self, place: Place, value: pb.Number) -> None:
        if not _NUMBER.fullmatch(place.id):
            place.problem("", "a number has digits only, with '+' before them or not")
        if not value.flow:
            place.problem("flow", f"a flow is needed; {listed('flow', self._ids['flow'])}")
        place.known("flow", "flow", value.flow, self._ids["flow"])
        self._language(place, value.language)

    def flow(self, place: Place, value: pb.Flow) -> None:
        check_flow(place, value, queues=self._ids["queue"], prompts=self._prompts, expression=self._expression)

    def calendar(self, place: Place, value: pb.Calendar) -> None:
        self._time_zone(place, value.time_zone)
        check_calendar(place, value)

    def widget(self, place: Place, value: pb.Widget) -> None:
        if not value.bot and not value.queue:
            place.problem("queue", "a bot or a queue is needed")
        place.known("bot", "bot", value.bot, self._ids["bot"])
        place.known("queue", "queue", value.queue, self._ids["queue"])
        self._language(place, value.language)
        for number, origin in enumerate(value.origins):
            if not _ORIGIN.fullmatch(origin):
                place.problem(f"origins/{number}", f"'{origin}' is no web origin like https://www.example.com")
        if value.bot and not value.queue:
            place.warning("queue", "a chat that the bot hands over without a queue has nowhere to go")

    def bot(self, place: Place, value: pb.Bot) -> None:
        for number, rule in enumerate(value.rules):
            path = f"rules/{number}"
            if not [word for word in rule.words if word.strip()]:
                place.problem(f"{path}/words", f"rule {number + 1} has no words")
            if not rule.reply and not rule.queue:
                place.problem(path, f"rule {number + 1} neither answers nor hands over")
            place.known(f"{path}/queue", "queue", rule.queue, self._ids["queue"])
            for index, requirement in enumerate(rule.requirements):
                self._expression(place, f"{path}/requirements/{index}", requirement)

    def block(self, place: Place, value: pb.Block) -> None:
        self._duration(place, "until", value.until)

    def unit(self, place: Place, value: pb.OrgUnit) -> None:
        place.known("parent", "unit", value.parent, self._ids["unit"])
        seen, above = {place.id}, value.parent
        while above:
            if above in seen:
                place.problem("parent", f"unit '{above}' is above itself")
                return
            seen.add(above)
            above = self._parents.get(above, "")

    def user(self, place: Place, value: pb.User) -> None:
        if not value.roles:
            place.problem("roles", "at least one role is needed: agent, supervisor, administrator or analyst")
        place.known("agent", "agent", value.agent, self._ids["agent"])

    def _pool(self, place: Place, pool: str) -> None:
        place.known("pool", "pool", pool, [*self._ids["pool"], DEFAULT_POOL])

    def _expression(self, place: Place, path: str, text: str, *, of_agents: bool = True) -> None:
        if not text:
            return
        try:
            names = names_in(text)
        except NotCel as error:
            place.problem(path, str(error))
            return
        if not of_agents:
            return
        for name in sorted(name.removeprefix("agent.").removeprefix("attributes.") for name in names):
            if name.partition(".")[0] not in _ROOTS and name not in self._attributes:
                known = listed("attribute", self._attributes)
                place.warning(path, f"attribute '{name}' does not exist, so nobody meets '{text}'; {known}")

    def _prompt_or_text(self, place: Place, path: str, text: str) -> None:
        if text and _PROMPT.fullmatch(text):
            place.known(path, "prompt", text, self._prompts)

    def _language(self, place: Place, language: str) -> None:
        if language and not _LANGUAGE.fullmatch(language):
            place.problem("language", f"'{language}' is no language tag like en or zh")

    def _time_zone(self, place: Place, time_zone: str) -> None:
        try:
            ZoneInfo(time_zone or "UTC")
        except (KeyError, OSError, ValueError):
            place.problem("time_zone", f"'{time_zone}' is no IANA time zone like Asia/Shanghai")

    def _duration(self, place: Place, path: str, milliseconds: int) -> None:
        if milliseconds < 0:
            place.problem(path, "a time cannot be negative")

    def _priority(self, place: Place, path: str, priority: int) -> None:
        if priority > 9:
            place.problem(path, f"priority {priority} is not from 1 (first) to 9 (last)")


def _wrong_attribute_value(type: int | None, text: str) -> str:
    """What the attribute's value must be, where `text` is not."""
    if type == pb.ATTRIBUTE_TYPE_PROFICIENCY and not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10):
        return "a proficiency from 1 to 10"
    if type == pb.ATTRIBUTE_TYPE_BOOLEAN and text not in {"true", "false"}:
        return "true or false"
    if type == pb.ATTRIBUTE_TYPE_NUMBER and not _WHOLE.fullmatch(text):
        return "a whole number"
    return ""


def texts(problems: Iterable[Problem]) -> list[str]:
    return [problem.text for problem in problems]
