"""From pydantic's errors to joi's sentences: `"lead_list[0].email" is required` (contract: conventions §5)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from outrider.kit.errors import ValidationProblem

_SOURCES = {"path": "params", "query": "query"}
_ORDER = ["params", "query", "body"]
_QUOTED = re.compile(r"'([^']*)'")


def first_problem(errors: Sequence[Mapping[str, Any]]) -> ValidationProblem:
    """The one problem that is reported: of the path, else of the query, else of the body."""
    error = min(errors, key=lambda each: _ORDER.index(source_of(each)))
    path = [*error["loc"][1:]]
    if error["type"] == "unknown":
        path.append(error["ctx"]["key"])
    key = ".".join(str(part) for part in path) or "value"
    return ValidationProblem(f'"{_label(path)}" {_sentence(error)}', source=source_of(error), key=key)


def source_of(error: Mapping[str, Any]) -> str:
    return _SOURCES.get(str(error["loc"][0]), "body")


def _label(path: Sequence[str | int]) -> str:
    """`lead_list[0].email`; a body that is no object is called value."""
    label = ""
    for part in path:
        label += f"[{part}]" if isinstance(part, int) else f".{part}"
    return label.lstrip(".") or "value"


def _sentence(error: Mapping[str, Any]) -> str:
    kind: str = error["type"]
    write = _SENTENCES.get(kind)
    return write(error.get("ctx", {}), error.get("input")) if write else error["msg"]


def _says(text: str) -> Callable[[Mapping[str, Any], Any], str]:
    return lambda _context, _given: text


def _shortest(context: Mapping[str, Any], given: Any) -> str:
    if isinstance(given, str) and not given.strip():
        return "is not allowed to be empty"
    return f"length must be at least {context['min_length']} characters long"


def _greater(context: Mapping[str, Any], _given: Any) -> str:
    return "must be a positive number" if context["gt"] == 0 else f"must be greater than {_plain(context['gt'])}"


def _one_of(context: Mapping[str, Any], _given: Any) -> str:
    return f"must be one of [{', '.join(_QUOTED.findall(context['expected']))}]"


def _plain(number: Any) -> str:
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


_STRING = _says("must be a string")
_NUMBER = _says("must be a number")
_OBJECT = _says("must be of type object")
_DATE = _says("must be in ISO 8601 date format")

_SENTENCES: dict[str, Callable[[Mapping[str, Any], Any], str]] = {
    "joi": lambda context, _given: context["text"],
    "unknown": _says("is not allowed"),
    "missing": _says("is required"),
    "string_type": _STRING,
    "string_too_short": _shortest,
    "string_too_long": lambda context, _given: (
        f"length must be less than or equal to {context['max_length']} characters long"
    ),
    "string_pattern_mismatch": lambda context, given: (
        f'with value "{given}" fails to match the required pattern: /{context["pattern"]}/'
    ),
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_parsing_size": _NUMBER,
    "int_from_float": _says("must be an integer"),
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "bool_type": _says("must be a boolean"),
    "bool_parsing": _says("must be a boolean"),
    "greater_than": _greater,
    "greater_than_equal": lambda context, _given: f"must be larger than or equal to {_plain(context['ge'])}",
    "less_than": lambda context, _given: f"must be less than {_plain(context['lt'])}",
    "less_than_equal": lambda context, _given: f"must be less than or equal to {_plain(context['le'])}",
    "list_type": _says("must be an array"),
    "too_short": lambda context, _given: f"must contain at least {context['min_length']} items",
    "too_long": lambda context, _given: f"must contain less than or equal to {context['max_length']} items",
    "enum": _one_of,
    "literal_error": _one_of,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "uuid_type": _STRING,
    "uuid_parsing": _says("must be a valid GUID"),
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_type": _DATE,
    "datetime_parsing": _DATE,
    "datetime_from_date_parsing": _DATE,
    "value_error": lambda context, _given: str(context["error"]),
}
