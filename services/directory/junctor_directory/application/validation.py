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
from junctor_expressions import of_agents
from junctor_service.pools import DEFAULT_POOL

from junctor_directory.application.calendars import check_calendar
from junctor_directory.application.expressions import Expressions
from junctor_directory.application.flows import check_flow
from junctor_directory.application.plans import check_overflows, check_steps
from junctor_directory.application.problems import Findings, Place, Problem, listed
from junctor_directory.application.scores import Segments, check_objective, check_scores
from junctor_directory.domain.configuration import Name

Values = Mapping[Name, pb.Value]

CHANNELS = tuple(name.removeprefix("CHANNEL_").lower() for name in contact_pb2.Channel.keys()[1:])
MAX_CAPACITY = 100
MAX_OFFER_AGENTS = 20
HA1_LENGTHS = {"MD5": 32, "SHA-256": 64}
MAX_PARTITION = 11
_SLUG = re.compile(r"[a-z0-9+][a-z0-9._+-]{0,62}")
_PROMPT = re.compile(r"[a-z0-9_.-]+")
_NUMBER = re.compile(r"\+?[0-9]{1,32}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_ORIGIN = re.compile(r"https?://[^/\s]+")


def check(values: Values, prompts: frozenset[str]) -> Findings:
    """All problems and warnings of the configuration. `prompts` are the prompts that can be played."""
    findings = Findings()
    checker = _Checker(values, prompts)
    for name in sorted(values):
        place = findings.at(*name)
        if not _SLUG.fullmatch(name.id):
            place.problem("", "an id has 1 to 63 lower case letters, digits, '-', '_', '.' or '+'")
        getattr(checker, name.kind)(place, getattr(values[name], name.kind))
    check_overflows(findings, values)
    return findings


def new_problems(before: Iterable[Problem], after: Iterable[Problem]) -> list[Problem]:
    """The problems that the change brings."""
    known = set(before)
    return [problem for problem in after if problem not in known]


class _Checker:
    """One method for each kind."""

    def __init__(self, values: Values, prompts: frozenset[str]) -> None:
        self._prompts = prompts
        self._ids: dict[str, dict[str, None]] = defaultdict(dict)
        self._values = values
        self._expressions = Expressions(values)
        self._attributes = self._expressions.attributes
        self._segments = Segments(values)
        self._devices: dict[str, list[str]] = defaultdict(list)
        self._parents = {name.id: value.unit.parent for name, value in values.items() if name.kind == "unit"}
        for name in sorted(values):
            self._ids[name.kind][name.id] = None
            if name.kind == "agent" and values[name].agent.device:
                self._devices[values[name].agent.device].append(name.id)
        self._pools_with_agents = {
            value.agent.pool or DEFAULT_POOL for name, value in values.items() if name.kind == "agent"
        }
        self._pools_of_plans: dict[str, set[str]] = defaultdict(set)
        for name, value in values.items():
            if name.kind == "queue":
                self._pools_of_plans[value.queue.plan].add(value.queue.pool or DEFAULT_POOL)

    def tenant(self, place: Place, value: pb.Tenant) -> None:
        if place.id != "self":
            place.problem("", "the organisation's settings have the id 'self'")
        self._time_zone(place, value.time_zone)
        self._language(place, value.language)
        self._interruptions(place, value.interruptions)

    def pool(self, place: Place, value: pb.Pool) -> None:
        if value.HasField("partition") and value.partition > MAX_PARTITION:
            place.problem("partition", f"partition {value.partition} is above {MAX_PARTITION}")

    def attribute(self, place: Place, value: pb.Attribute) -> None:
        if value.type == pb.ATTRIBUTE_TYPE_UNSPECIFIED:
            place.problem("type", "a type is needed: proficiency, boolean, text or number")

    def agent(self, place: Place, value: pb.Agent) -> None:
        for slug, text in sorted(value.attributes.items()):
            place.known(f"attributes/{slug}", "attribute", slug, self._attributes)
            kind = self._expressions.kinds.get(slug)
            if kind is not None and of_agents.value(text, kind) is None:
                place.problem(f"attributes/{slug}", f"attribute '{slug}' is {of_agents.words(kind)}, not '{text}'")
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
        self._interruptions(place, value.interruptions)
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
        if value.offer_agents > MAX_OFFER_AGENTS:
            place.problem("offer_agents", f"{value.offer_agents} agents at once are above {MAX_OFFER_AGENTS}")
        plan = self._values.get(Name("plan", value.plan))
        scores = self._values.get(Name("scores", place.id))
        check_objective(place, value, plan.plan if plan else None, scores.scores.rows if scores else ())
        if (value.pool or DEFAULT_POOL) not in self._pools_with_agents:
            place.warning("pool", "no agent is in its pool, so its contacts will wait in vain")

    def plan(self, place: Place, value: pb.Plan) -> None:
        check_steps(place, value, self._expressions, self._pools_of_plans[place.id])
        for number, step in enumerate(value.steps):
            path = f"steps/{number}"
            self._duration(place, f"{path}/duration_ms", step.duration_ms)
            self._duration(place, f"{path}/skip_if_wait_above_ms", step.skip_if_wait_above_ms)
            self._duration(place, f"{path}/skip_if_wait_below_ms", step.skip_if_wait_below_ms)
            self._priority(place, f"{path}/priority", step.priority)
        self._prompt_or_text(place, "overflow_prompt", value.overflow_prompt)

    def scores(self, place: Place, value: pb.ScoreTable) -> None:
        place.known("", "queue", place.id, self._ids["queue"])
        check_scores(place, value.rows, self._expressions, self._segments)

    def number(self, place: Place, value: pb.Number) -> None:
        if not _NUMBER.fullmatch(place.id):
            place.problem("", "a number has digits only, with '+' before them or not")
        if not value.flow:
            place.problem("flow", f"a flow is needed; {listed('flow', self._ids['flow'])}")
        place.known("flow", "flow", value.flow, self._ids["flow"])
        self._language(place, value.language)

    def flow(self, place: Place, value: pb.Flow) -> None:
        check_flow(place, value, queues=self._ids["queue"], prompts=self._prompts)
        for id, node in sorted(value.nodes.items()):
            for number, branch in enumerate(node.decide.branches):
                self._expressions.of_contacts(place, f"nodes/{id}/decide/branches/{number}/when", branch.when)
            self._requirements(place, f"nodes/{id}/route", node.route.queue, node.route.requirements)

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
            self._requirements(place, path, rule.queue, rule.requirements)

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

    def _interruptions(self, place: Place, rules: Mapping[str, pb.Interruption]) -> None:
        for channel, rule in sorted(rules.items()):
            path = f"interruptions/{channel}"
            named = [(path, channel)]
            named += [
                (f"{path}/{field}/{n}", c) for field in ("beside", "parks") for n, c in enumerate(getattr(rule, field))
            ]
            for where, name in named:
                if name not in CHANNELS:
                    place.problem(where, f"'{name}' is no channel; channels: {', '.join(CHANNELS)}")
            for n, name in enumerate(rule.parks):
                if name in rule.beside:
                    place.problem(f"{path}/parks/{n}", f"'{name}' cannot both go on beside it and be parked for it")
                if name != channel and channel in _parked_by(name, rules):
                    place.problem(f"{path}/parks/{n}", f"'{name}' parks '{channel}' in its turn: one of them must not")

    def _pool(self, place: Place, pool: str) -> None:
        place.known("pool", "pool", pool, {**self._ids["pool"], DEFAULT_POOL: None})

    def _requirements(self, place: Place, path: str, queue: str, texts: Iterable[str]) -> None:
        """What contacts for the queue require of agents."""
        target = self._values.get(Name("queue", queue))
        pools = [target.queue.pool or DEFAULT_POOL] if target is not None else []
        for number, text in enumerate(texts):
            here = f"{path}/requirements/{number}"
            node = self._expressions.of_agents(place, here, text)
            if node is not None:
                self._expressions.somebody(place, here, [node], pools, f"its contacts wait in vain in queue '{queue}'")

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


def texts(problems: Iterable[Problem]) -> list[str]:
    return [problem.text for problem in problems]


def _parked_by(channel: str, rules: Mapping[str, pb.Interruption]) -> set[str]:
    """What is parked for it, and what is parked for that, and so on, by these rules."""
    found: set[str] = set()
    left = {channel}
    while left:
        more = {name for one in left if one in rules for name in rules[one].parks}
        left = more - found
        found |= more
    return found
