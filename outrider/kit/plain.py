"""Dataclasses for what is made thousands of times a second.

A frozen dataclass sets each field by a call, which costs ten times as much as an assignment. Here the type checker sees
to it that nobody changes one; nothing else does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass as plain
else:

    def plain(*, frozen: bool, slots: bool) -> Callable[[type[T]], type[T]]:  # noqa: ARG001 - what `dataclass` is told
        """A dataclass; `frozen` is for the type checker."""
        return dataclass(slots=slots, unsafe_hash=True)


__all__ = ["plain"]
