"""docs/states.md against the code: every state of every machine is in it, and every word in it is the code's."""

import re
from enum import Enum
from pathlib import Path
from typing import get_args

import junctor_cti.domain.commands as cti
import junctor_ivr.domain.session as ivr
import junctor_omnichannel.domain.commands as omnichannel
import junctor_omnichannel.domain.events as omnichannel_events
import junctor_router.domain.commands as router
import pytest
from junctor_cti.domain import call, relay
from junctor_recording.domain import recording
from junctor_router.domain import values

TEXT = (Path(__file__).parents[3] / "docs" / "states.md").read_text()
NONE = "–"


def words(enum: type[Enum]) -> set[str]:
    return {member.name.lower() for member in enum if member.name != "UNSPECIFIED"}


def literal(kind) -> set[str]:
    return {value for value in get_args(kind) if value}


MACHINES = {
    "Routing state": (words(values.AgentState), [router]),
    "Connection": (words(values.ConnectionState), [router]),
    "Device": (words(values.DeviceState), [router, cti]),
    "Task": (words(values.TaskState), [router]),
    "Reservation": (words(values.ReservationState), [router]),
    "Call": (literal(call.State), [cti]),
    "Leg": (literal(call.Phase), [cti]),
    "Relay": (literal(relay.State), [cti]),
    "Conversation": (literal(omnichannel_events.State), [omnichannel]),
    "Recording": (literal(recording.RecordingState), [recording]),
    "Flow": (literal(ivr.FlowResult) | {"running"}, [ivr]),
    "Session": ({"logged_out", "logged_in", "leaving"}, [router]),
}


def rows(machine: str) -> list[tuple[set[str], set[str], set[str]]]:
    """(states before, inputs, states after) of each row of the section with this heading."""
    section = re.search(rf"^##+ {machine}\n(.*?)(?=^##|\Z)", TEXT, re.M | re.S)
    assert section, f"docs/states.md has no section {machine}"
    found = []
    for line in section[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        found.append(tuple(set(re.findall(r"`([^`]+)`", cell)) for cell in cells[:3]))
    return found


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_of_the_code_is_there_and_no_other(machine):
    states, _ = MACHINES[machine]
    told = {state for before, _, after in rows(machine) for state in before | after} - {NONE}
    assert states - told == set(), f"docs/states.md lacks states of {machine}"
    assert told - states == set(), f"docs/states.md has states of {machine} that the code lacks"


@pytest.mark.parametrize("machine", MACHINES)
def test_every_input_is_a_command_of_the_domain(machine):
    _, modules = MACHINES[machine]
    told = {input for _, inputs, _ in rows(machine) for input in inputs}
    assert told
    assert {input for input in told if not any(hasattr(module, input) for module in modules)} == set()


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_is_reached(machine):
    reached = {state for _, _, after in rows(machine) for state in after}
    begun = {"logged_out"} | {NONE}
    assert MACHINES[machine][0] - begun <= reached


def test_every_command_of_a_call_is_told_or_moves_no_state():
    """Commands that only fences, prompts, digits, steps and arrivals know change no state of the call."""
    told = {
        input for machine in ("Call", "Leg", "Relay", "Device") for _, inputs, _ in rows(machine) for input in inputs
    }
    quiet = {"FenceRaised", "StepDone", "PromptAndCollect", "PromptStarted", "DigitHeard", "DeviceReported"}
    quiet |= {"EarlierLeg", "SetArrivalShare"}
    commands = {
        name for name, value in vars(cti).items() if isinstance(value, type) and value.__module__ == cti.__name__
    }
    commands = {name for name in commands if not name.endswith("Response")}
    assert commands - told - quiet == set()
