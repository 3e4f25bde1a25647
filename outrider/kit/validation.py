"""Lenient reading of requests: the base model and the field types of every wire.py (contract: conventions §5).

What cannot be read becomes a ValidationProblem in joi's words (`kit/wording.py`); the first problem answers.
"""

import math
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, NoReturn, Self, TypeVar, Union, get_args, get_origin

import orjson
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_snake
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from outrider.kit.errors import ValidationProblem

T = TypeVar("T")
LARGEST_ID = 2**63 - 1
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Control characters except tab, CR and LF: removed from all input (contract: conventions §5)."""
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s?(Z|[+-]\d\d(:?\d\d)?)?)?", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}@[^\s@<>()\[\],;:\"\\]+\.[^\s@<>()\[\],;:\"\\.]{2,}")
_FLAGS: dict[Any, bool] = {"true": True, "false": False, "1": True, "0": False}


def reject(message: str, *, key: str, source: str = "body") -> NoReturn:
    """Refuse a field by a rule that needs more than the field; `message` is the whole sentence."""
    raise ValidationProblem(message, source=source, key=key)


def fault(text: str) -> PydanticCustomError:
    """What a validator raises; the text without the field's name, such as `must be a valid uri`."""
    return PydanticCustomError("joi", "{text}", {"text": text})


@dataclass(slots=True)
class Notes:
    """What was noticed while one request was read."""

    is_strict: bool = False
    ignored: dict[str, None] = field(default_factory=dict)


notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a spelling of a field goes, and which empty values count as missing."""

    name: str
    is_documented: bool
    drops_null: bool
    drops_blank: bool


class Wire(BaseModel):
    """A body, a query or a part of one.

    camelCase and snake_case are accepted for every field, and all choices of `Field(validation_alias=AliasChoices(…))`;
    the first of them is the documented name that errors and the reference show. Unknown keys are ignored and listed
    in `X-Ignored-Fields`, or refused with STRICT_COMPAT; the names in `tolerates` are neither.
    null is missing for optional fields that cannot be None; "" is missing for optional fields that are no texts.
    `model_fields_set` tells an explicit null from a missing key.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    tolerates: ClassVar[frozenset[str]] = frozenset()
    refuses_unknown: ClassVar[bool] = False

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(given, str):
            given = decoded(given)
        if not isinstance(given, Mapping):
            return handler(given)
        values, unknown = _sorted(slots_of(cls), given)
        made = handler(values)
        if unknown:
            cls._note(unknown)
        return made

    @classmethod
    def _note(cls, unknown: list[str]) -> None:
        about = notes.get()
        strict = cls.refuses_unknown or (about is not None and about.is_strict)
        for name in unknown:
            if name in cls.tolerates:
                continue
            if strict:
                raise PydanticCustomError("unknown", "is not allowed", {"key": name})
            if about is not None:
                about.ignored[name] = None


class StrictWire(Wire):
    """For what the contract refuses by itself: unknown keys are `"x" is not allowed`."""

    refuses_unknown: ClassVar[bool] = True


def decoded(text: str) -> Any:
    """The value of a JSON-encoded text, or the text itself."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _sorted(slots: Mapping[str, Slot], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values by documented name, and the unknown keys; the documented spelling wins over others."""
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in given.items():
        slot = slots.get(key)
        if slot is None:
            unknown.append(key)
        elif (
            not (value is None and slot.drops_null)
            and not (value == "" and slot.drops_blank)
            and (slot.is_documented or slot.name not in values)
        ):
            values[slot.name] = value
    return values, unknown


@cache
def slots_of(model: type[BaseModel]) -> dict[str, Slot]:
    """Every accepted spelling of every field of a model."""
    slots: dict[str, Slot] = {}
    for name, info in model.model_fields.items():
        documented, *others = spellings(name, info)
        slots[documented] = slot_of(documented, info, is_documented=True)
        for other in others:
            slots.setdefault(other, slot_of(documented, info, is_documented=False))
    return slots


def slot_of(documented: str, info: FieldInfo, *, is_documented: bool) -> Slot:
    members = _members(info.annotation)
    optional = not info.is_required()
    return Slot(
        name=documented,
        is_documented=is_documented,
        drops_null=optional and type(None) not in members and Any not in members,
        drops_blank=optional and str not in members and Any not in members,
    )


def spellings(name: str, info: FieldInfo) -> list[str]:
    """The documented name first, then all others that are accepted."""
    alias = info.validation_alias or info.alias
    if isinstance(alias, AliasChoices):
        named = [choice for choice in alias.choices if isinstance(choice, str)]
    else:
        named = [alias] if isinstance(alias, str) else [name]
    variants = [variant for each in (*named, name) for variant in (each, to_camel(each), to_snake(each))]
    return list(dict.fromkeys([*named, *variants]))


def _members(annotation: Any) -> set[Any]:
    """The plain types of an annotation: `Annotated[str, …] | None` has str and NoneType."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return {member for part in get_args(annotation) for member in _members(part)}
    return {annotation}


def _number(value: Any) -> int | float:
    """A JSON number or a numeric string; true is no number here."""
    if isinstance(value, str):
        value = _number_in(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise fault("must be a number")
    return value


def _number_in(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else None


def _integer(value: Any) -> int:
    number = _number(value)
    if isinstance(number, float) and not number.is_integer():
        raise fault("must be an integer")
    if abs(number) > LARGEST_ID:
        raise fault("must be a number")
    return int(number)


def _identifier(value: Any) -> int:
    number = _integer(value)
    if number < 1:
        raise fault("must be a positive number")
    return number


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return value == 1
    if isinstance(value, str) and (known := _FLAGS.get(value.strip().lower())) is not None:
        return known
    raise fault("must be a boolean")


def _email(value: str) -> str:
    if len(value) > 320 or not _EMAIL.fullmatch(value):  # noqa: PLR2004 - RFC 3696 errata 1690: 64 + @ + 255
        raise fault("must be a valid email")
    return value


def _text_of_number(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _list(value: Any) -> Any:
    """A JSON-encoded array is parsed, a single value becomes a list of one."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and value[0].lstrip()[:1] == "[":
        value = value[0]
    if isinstance(value, str):
        value = decoded(value)
    return value if isinstance(value, list) or value is None else [value]


def _object(value: Any) -> Any:
    return decoded(value) if isinstance(value, str) else value


def moment(value: Any) -> datetime:
    """An ISO 8601 date-time or date. Naive if the text names no zone."""
    if isinstance(value, str) and _MOMENT.fullmatch(text := value.strip()):
        try:
            return datetime.fromisoformat(_spelled_out(text))
        except ValueError:
            pass
    raise fault("must be in ISO 8601 date format")


def _spelled_out(text: str) -> str:
    """What Python reads: at most six fraction digits, `T`, no blank before the zone."""
    upper = text[:10] + text[10:].upper().replace(" ", "T", 1).replace(" ", "").replace(",", ".")
    return re.sub(r"(\.\d{6})\d+", r"\1", upper)


def _utc(value: Any) -> datetime:
    given = moment(value)
    if given.tzinfo is None:
        return given.replace(tzinfo=UTC)
    try:
        return given.astimezone(UTC)
    except OverflowError as error:
        raise fault("must be in ISO 8601 date format") from error


def _day(value: Any) -> date:
    return moment(value).date()


Int = Annotated[int, BeforeValidator(_integer)]
"""A 64-bit integer; limits by `Annotated[Int, Field(ge=3, le=100)]`."""
Number = Annotated[float, BeforeValidator(_number)]
Id = Annotated[int, BeforeValidator(_identifier)]
"""A positive 63-bit integer."""
PathId = Id
"""For ids in paths: `campaign_id: PathId`. Another name in errors: `Annotated[PathId, Path(alias="leadId")]`."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str, StringConstraints(strip_whitespace=True)]
"""Trimmed; `Annotated[Text, Field(min_length=1)]` is not allowed to be empty."""
Body = str
"""Not trimmed: subjects and bodies of messages."""
TextOrNumber = Annotated[Text, BeforeValidator(_text_of_number)]
"""A text that some clients send as a number."""
Email = Annotated[Text, StringConstraints(strip_whitespace=True), AfterValidator(_email)]
ListOf = Annotated[list[T], BeforeValidator(_list)]
"""`ListOf[Id]`; limits by `Annotated[ListOf[Id], Field(min_length=1, max_length=100)]`."""
JsonObject = Annotated[dict[str, Any], BeforeValidator(_object)]
Moment = Annotated[datetime, BeforeValidator(_utc)]
"""Aware, UTC; a time without a zone is UTC, a date is its first moment."""
LocalMoment = Annotated[datetime, BeforeValidator(moment)]
"""Naive unless the text has a zone: for endpoints with a time zone of their own."""
Day = Annotated[date, BeforeValidator(_day)]
