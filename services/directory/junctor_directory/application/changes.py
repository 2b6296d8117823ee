"""Changing a configuration: what the change would come to is checked first, then decided in the log.

A change is checked against the revision that this process follows, and says so (`checked_revision`). Where another
change was quicker, the log refuses it and it is checked again. So the journal replays without knowing the rules.

Checking takes seconds where a configuration has tens of thousands of agents, so it has a thread of its own and other
calls go on meanwhile.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from google.protobuf.message import Message
from junctor.directory.v1 import directory_pb2 as pb
from junctor_service.errors import Code, FieldViolation, ServiceError, invalid, precondition

from junctor_directory.application.fold import STREAM, attempt_id, to_command
from junctor_directory.application.problems import Problem
from junctor_directory.application.validation import check, new_problems, texts
from junctor_directory.application.values import KINDS, change_message, name_of, parsed
from junctor_directory.domain.configuration import (
    Change,
    Configuration,
    ConfigurationApplied,
    Name,
    Rejected,
    changes_of,
)

R = TypeVar("R", bound=Message)
ATTEMPTS = 8
SHOWN_PROBLEMS = 50


class CommandLog(Protocol):
    """The part of `junctor_service.commands.Commands` that is needed here."""

    async def apply(
        self, request: Message, *, stream: str, correlation_id: str = "", answer: type[R] | None = None
    ) -> R: ...


class Changes:
    """`state_of(tenant)` gives the configuration as this process follows it; it may raise a retryable error."""

    def __init__(self, state_of: Callable[[str], Configuration], commands: CommandLog, prompts: Iterable[str]) -> None:
        self._state_of = state_of
        self._commands = commands
        self._prompts = frozenset(prompts)
        self._standing: dict[str, tuple[Configuration, list[Problem]]] = {}

    async def apply(self, request: pb.ApplyConfigurationRequest) -> pb.ApplyConfigurationResponse:
        """Raises INVALID_ARGUMENT with a violation for each problem, FAILED_PRECONDITION where the base moved on."""
        _check_names(request)
        if request.dry_run:
            state = self._state_of(request.tenant)
            changes, warnings, _ = await asyncio.to_thread(self._judge, state, request, request.tenant)
            return pb.ApplyConfigurationResponse(
                revision=state.revision, changes=[change_message(change) for change in changes], warnings=warnings
            )
        response, warnings = await self._decide(request, pb.ApplyConfigurationResponse)
        response.warnings.extend(warnings)
        return response

    async def revert(self, request: pb.RevertConfigurationRequest) -> pb.RevertConfigurationResponse:
        """Raises FAILED_PRECONDITION where later revisions build on it, NOT_FOUND for an unknown one."""
        response, warnings = await self._decide(request, pb.RevertConfigurationResponse)
        response.warnings.extend(warnings)
        return response

    async def _decide(
        self, request: pb.ApplyConfigurationRequest | pb.RevertConfigurationRequest, answer: type[R]
    ) -> tuple[R, list[pb.ConfigurationWarning]]:
        known = self._state_of(request.tenant).applied_by(request.request_id)
        if known is not None:
            return answer(**_answer(known.revision, known)), []
        attempt = copy.deepcopy(request)
        for number in range(ATTEMPTS):
            state = self._state_of(request.tenant)
            _, warnings, problems = await asyncio.to_thread(self._judge, state, request, request.tenant)
            attempt.request_id = attempt_id(request.request_id, number)
            attempt.checked_revision = state.revision
            try:
                recorded = await self._commands.apply(attempt, stream=STREAM, answer=answer)
            except ServiceError as error:
                if error.code != Code.ABORTED:
                    raise
                continue
            revision = recorded.revision  # type: ignore[attr-defined]
            now = self._state_of(request.tenant)
            if now.revision == revision == state.revision + 1:
                self._standing[request.tenant] = (now, problems)
            applied = now.applied_by(request.request_id)
            return (answer(**_answer(applied.revision, applied)) if applied else answer(revision=revision)), warnings
        raise ServiceError(Code.ABORTED, "Others change the configuration all the time; try again.", retryable=True)

    def _judge(
        self, state: Configuration, request: Message, tenant: str
    ) -> tuple[tuple[Change, ...], list[pb.ConfigurationWarning], list[Problem]]:
        """What the request changes, and the warnings and the problems of old of what comes of it.

        Raises what is wrong with it.
        """
        try:
            changes = changes_of(state, to_command(request, ""))
        except Rejected as error:
            raise ServiceError(Code[error.code.upper()], error.message, retryable=error.retryable) from error
        before = {name: parsed(stored.value) for name, stored in state.values.items()}
        after = dict(before)
        for change in changes:
            if change.after is None:
                del after[change.name]
            else:
                after[change.name] = parsed(change.after)
        known = self._standing.get(tenant)
        if known is None or known[0] is not state:
            known = self._standing[tenant] = (state, check(before, self._prompts).problems)
        found = check(after, self._prompts)
        problems = new_problems(known[1], found.problems)
        if problems:
            raise _refused(problems, reverting=isinstance(request, pb.RevertConfigurationRequest))
        warnings = [pb.ConfigurationWarning(field=w.field, text=w.text) for w in found.warnings]
        return changes, warnings, found.problems


def _answer(revision: int, applied: ConfigurationApplied) -> dict[str, object]:
    return {"revision": revision, "changes": [change_message(change) for change in applied.changes]}


def _check_names(request: pb.ApplyConfigurationRequest) -> None:
    problems: list[Problem] = []
    seen: set[Name] = set()
    for number, value in enumerate(request.values):
        try:
            name = name_of(value)
        except ValueError as error:
            problems.append(Problem(f"values/{number}", str(error)))
            continue
        if name in seen:
            problems.append(Problem(f"values/{number}", f"{name.kind} '{name.id}' is given twice"))
        seen.add(name)
    for number, named in enumerate(request.delete):
        if named.kind not in KINDS:
            problems.append(Problem(f"delete/{number}", f"'{named.kind}' is no kind; kinds: {', '.join(KINDS)}"))
        if Name(named.kind, named.id) in seen:
            problems.append(Problem(f"delete/{number}", f"{named.kind} '{named.id}' is both set and deleted"))
    if problems:
        raise _refused(problems, reverting=False)


def _refused(problems: list[Problem], *, reverting: bool) -> ServiceError:
    count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
    message = f"The configuration has {count}: {'; '.join(texts(problems[:3]))}."
    if reverting:
        return precondition(message, reason="REVERT_BREAKS_REFERENCES")
    violations = [FieldViolation(problem.field, f"{problem.text}.") for problem in problems[:SHOWN_PROBLEMS]]
    return invalid(message, *violations, reason="CONFIGURATION_INVALID")
