"""Query strings as clients write them, brought into the one form that the routes read (contract: conventions §5)."""

import re
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from outrider.kit.validation import spellings

_BLANK = frozenset({"", "None", "null", "undefined"})
"""Written by clients for "nothing": the parameter counts as missing."""
_INDEX = re.compile(r"\[\d{0,4}\]$")


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    is_list: bool


class QueryTable:
    """What one route knows of its query: every accepted spelling of every parameter."""

    def __init__(self, dependant: Dependant) -> None:
        self._known: dict[str, Parameter] = {}
        self._add(dependant)

    def _add(self, dependant: Dependant) -> None:
        for field in dependant.query_params:
            model = field.field_info.annotation
            if isinstance(model, type) and issubclass(model, BaseModel):
                for name, info in model.model_fields.items():
                    self._spell(name, info)
            else:
                self._spell(field.name, field.field_info)
        for part in dependant.dependencies:
            self._add(part)

    def _spell(self, name: str, info: Any) -> None:
        documented, *others = spellings(name, info)
        parameter = Parameter(documented, _is_list(info.annotation))
        self._known[documented] = parameter
        for other in others:
            self._known.setdefault(other, parameter)

    def arrange(self, given: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[str]]:
        """The pairs under their documented names, and the names that are unknown."""
        arranged: dict[str, list[str]] = {}
        unknown: dict[str, None] = {}
        for written, value in given:
            name = _INDEX.sub("", written)
            parameter = self._known.get(name)
            if parameter is None:
                unknown[name] = None
            elif value.strip() not in _BLANK:
                self._put(arranged, parameter, name, value)
        return [(name, value) for name, values in arranged.items() for value in values], list(unknown)

    def _put(self, arranged: dict[str, list[str]], parameter: Parameter, name: str, value: str) -> None:
        known = arranged.get(parameter.name)
        if parameter.is_list:
            arranged[parameter.name] = [*(known or []), *_items(value)]
        elif known is None or name == parameter.name:
            arranged[parameter.name] = [value]


def _items(value: str) -> list[str]:
    """A comma-separated or JSON-encoded list; blanks between commas are no items."""
    if value.lstrip().startswith("["):
        return [value]
    return [item for part in value.split(",") if (item := part.strip())]


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in {list, set, frozenset, tuple}:
        return True
    return any(_is_list(part) for part in get_args(annotation) if part is not type(None))
