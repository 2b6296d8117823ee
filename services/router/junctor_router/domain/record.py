"""Records: dataclasses that nobody changes, as the type checker sees to it.

`frozen=True` would see to it at run time as well, and takes four times as long to make one: a call of
`object.__setattr__` for each field, of which an input has some fifty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    return dataclass(slots=True, unsafe_hash=True)(cls)
