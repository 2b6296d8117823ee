"""The agent with the highest predicted value for a contact, from a table that anybody may compute; integers only.

A share of the contacts is given by lot instead, so that the table can be computed anew from what happened without having
caused it. The lot is SHA-256 of (seed, contact id): the same contact has the same lot in every process and every replay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from junctor_router.domain.attribute_index import Member
from junctor_router.domain.configuration import Score
from junctor_router.domain.expression import Scalar, read_value
from junctor_router.domain.values import AttributeType, Objective

SEGMENT = "segment"
"""The contact's data that names the customer's segment."""


def value_of(
    attributes: Mapping[str, Scalar],
    segment: str,
    scores: Sequence[Score],
    objective: Objective,
    types: Mapping[str, AttributeType],
) -> int:
    """The sum of what the table gives for the segment (rows without a segment count for all).

    A row with a value counts where the agent's attribute has it; one without counts times the agent's whole number.
    """
    total = 0
    for score in scores:
        if score.segment not in ("", segment):
            continue
        points = score.sales if objective is Objective.SALES else score.service
        mine = attributes.get(score.attribute)
        if score.value:
            wanted = read_value(score.value, types.get(score.attribute, AttributeType.UNSPECIFIED))
            total += points if mine is not None and type(mine) is type(wanted) and mine == wanted else 0
        elif isinstance(mine, int):
            total += points * mine
    return total


def lot(seed: str, contact_id: str, explore_percent: int, candidates: int) -> int | None:
    """Which of the candidates the contact gets by lot; None where the table decides."""
    digest = hashlib.sha256(f"{seed}/{contact_id}".encode()).digest()
    if int.from_bytes(digest[:8], "big") % 100 >= explore_percent:
        return None
    return int.from_bytes(digest[8:16], "big") % candidates


def best(candidates: Sequence[Member], values: Sequence[int]) -> tuple[Member, int]:
    """The first of the highest, and its value: candidates come in rank order."""
    highest = max(values)
    return candidates[list(values).index(highest)], highest
