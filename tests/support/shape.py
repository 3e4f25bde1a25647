"""Whether an answer has the shape of the contract's example: its keys, its types, its spellings of times and numbers.

Keys beyond the example are allowed (the contract allows them everywhere), values may differ. Where either side is null
nothing more can be said.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).parents[1]
_FIELD = re.compile(r"[a-z][A-Za-z0-9_]*")
_SPELLINGS = (
    ("a time in UTC with milliseconds", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")),
    ("a time with an offset", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")),
    ("a UUID", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("digits", re.compile(r"\d+")),
    ("a per cent", re.compile(r"\d+%")),
    ("a message id", re.compile(r"<[^<>\s]+@[^<>\s]+>")),
)


def example(name: str, *, area: str = "contract") -> Any:
    """An example of the reference: answers under `contract`, what receivers get under `webhooks`."""
    return json.loads((_TESTS / area / "examples" / f"{name}.json").read_text("utf-8"))


def assert_shape(answer: Any, example: Any) -> None:
    found = list(differences(answer, example))
    assert not found, "\n".join(found)


def differences(answer: Any, example: Any) -> Iterator[str]:
    """Where the answer has not the shape of the example."""
    return _differences(answer, example, "$")


def _differences(answer: Any, example: Any, place: str) -> Iterator[str]:
    if answer is None or example is None or (_is_number(answer) and _is_number(example)):
        return
    if type(answer) is not type(example):
        yield f"{place} is {answer!r}, a {type(answer).__name__}, not a {type(example).__name__} like {example!r}"
    elif isinstance(example, dict):
        if not _is_map(example):
            yield from (f"{place}.{key} is missing" for key in example.keys() - answer.keys())
        for key in example.keys() & answer.keys():
            yield from _differences(answer[key], example[key], f"{place}.{key}")
    elif isinstance(example, list):
        for number, item in enumerate(answer if example else ()):  # an empty list says nothing of its items
            yield from _differences(item, example[min(number, len(example) - 1)], f"{place}[{number}]")
    elif isinstance(example, str):
        yield from _misspellings(answer, example, place)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_map(example: dict[str, Any]) -> bool:
    """Whether the keys are values too: addresses, ids, names of events or fields."""
    return bool(example) and not any(_FIELD.fullmatch(key) for key in example)


def _misspellings(answer: str, example: str, place: str) -> Iterator[str]:
    for name, spelling in _SPELLINGS:
        if spelling.fullmatch(example) and not spelling.fullmatch(answer):
            yield f"{place} is {answer!r}, not {name} like {example!r}"
