"""Fields as clients send them, and joi's words for what cannot be read (contract: conventions §5)."""

import contextlib
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, AliasChoices, BaseModel, Field, TypeAdapter, ValidationError

from outrider.kit.errors import ValidationProblem
from outrider.kit.validation import (
    LARGEST_ID,
    Body,
    Day,
    Email,
    Flag,
    Id,
    Int,
    JsonObject,
    ListOf,
    LocalMoment,
    Moment,
    Notes,
    Number,
    StrictWire,
    Text,
    TextOrNumber,
    Wire,
    fault,
    notes,
    reject,
)
from outrider.kit.wording import first_problem


class Status(StrEnum):
    START = "START"
    PAUSED = "PAUSED"


class Lead(Wire):
    email: Text
    first_name: Text | None = None


class Everything(Wire):
    name: Annotated[Text, Field(min_length=1, max_length=5)] = "x"
    password: Annotated[Body, Field(min_length=8)] = "12345678"
    count: Annotated[Int, Field(ge=3, le=100)] = 5
    rate: Annotated[Number, Field(gt=0)] = 1
    client_id: Id | None = None
    is_on: Flag = False
    status: Status = Status.START
    kind: Literal["a", "b"] = "a"
    lead_list: Annotated[ListOf[Lead], Field(min_length=1, max_length=3)] = Field(default_factory=list)
    ids: ListOf[Id] = Field(default_factory=list)
    settings: JsonObject = Field(default_factory=dict)
    address: Email | None = None
    phone: TextOrNumber | None = None
    at: Moment | None = None
    day: Day | None = None
    local: LocalMoment | None = None
    zip_code: Annotated[str, Field(pattern=r"^\d{5}$")] | None = None
    key_name: Text | None = Field(default=None, validation_alias=AliasChoices("keyName", "label"))


def problem(model: type[BaseModel], given: Any) -> ValidationProblem:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(given)
    return first_problem([{**error, "loc": ("body", *error["loc"])} for error in raised.value.errors()])


def value_of(name: str, given: Any) -> Any:
    return getattr(Everything.model_validate({name: given}), name)


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("count", "5", 5),
        ("count", " 7 ", 7),
        ("count", 5.0, 5),
        ("count", "5.0", 5),
        ("count", "+5", 5),
        ("client_id", LARGEST_ID, LARGEST_ID),
        ("client_id", str(LARGEST_ID), LARGEST_ID),
        ("rate", "1e2", 100.0),
        ("rate", ".5", 0.5),
        ("rate", 3, 3),
        ("is_on", "TRUE", True),
        ("is_on", " false ", False),
        ("is_on", 1, True),
        ("is_on", 0, False),
        ("is_on", "1", True),
        ("is_on", "0", False),
        ("name", "  a b ", "a b"),
        ("password", " 12345678 ", " 12345678 "),
        ("ids", 7, [7]),
        ("ids", "7", [7]),
        ("ids", "[7, 8]", [7, 8]),
        ("ids", ["7"], [7]),
        ("ids", ["[7, 8]"], [7, 8]),
        ("lead_list", {"email": "a"}, [Lead(email="a")]),
        ("lead_list", '[{"email": "a"}]', [Lead(email="a")]),
        ("settings", '{"a": 1}', {"a": 1}),
        ("phone", 46701, "46701"),
        ("phone", " +46 ", "+46"),
        ("address", " Nora.O'Neil+x@hexly.example ", "Nora.O'Neil+x@hexly.example"),
        ("at", "2026-03-30T08:00:02.117Z", datetime(2026, 3, 30, 8, 0, 2, 117_000, UTC)),
        ("at", "2026-03-30T08:00:02+02:00", datetime(2026, 3, 30, 6, 0, 2, tzinfo=UTC)),
        ("at", "2026-03-30 08:00:02", datetime(2026, 3, 30, 8, 0, 2, tzinfo=UTC)),
        ("at", "2026-03-30 08:00:02.117Z", datetime(2026, 3, 30, 8, 0, 2, 117_000, UTC)),
        ("at", "2026-03-30t08:00z", datetime(2026, 3, 30, 8, 0, tzinfo=UTC)),
        ("at", "2026-03-30T08:00:02.1234567891Z", datetime(2026, 3, 30, 8, 0, 2, 123_456, UTC)),
        ("at", "2026-03-30", datetime(2026, 3, 30, tzinfo=UTC)),
        ("local", "2026-03-30T08:00:02", datetime(2026, 3, 30, 8, 0, 2)),  # noqa: DTZ001 - naive is the point
        ("local", "2026-03-30T08:00+02:00", datetime(2026, 3, 30, 8, tzinfo=timezone(timedelta(hours=2)))),
        ("day", "2026-03-30", date(2026, 3, 30)),
        ("day", "2026-03-30T08:00:02Z", date(2026, 3, 30)),
    ],
)
def test_many_spellings_are_read(name: str, given: Any, read: Any) -> None:
    assert value_of(name, given) == read


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": ""}, '"name" is not allowed to be empty'),
        ({"name": "   "}, '"name" is not allowed to be empty'),
        ({"name": "abcdef"}, '"name" length must be less than or equal to 5 characters long'),
        ({"name": 3}, '"name" must be a string'),
        ({"name": ["a"]}, '"name" must be a string'),
        ({"password": "1234567"}, '"password" length must be at least 8 characters long'),
        ({"password": ""}, '"password" is not allowed to be empty'),
        ({"count": 2}, '"count" must be larger than or equal to 3'),
        ({"count": "101"}, '"count" must be less than or equal to 100'),
        ({"count": True}, '"count" must be a number'),
        ({"count": "x"}, '"count" must be a number'),
        ({"count": "0x10"}, '"count" must be a number'),
        ({"count": "1_000"}, '"count" must be a number'),
        ({"count": "Infinity"}, '"count" must be a number'),
        ({"count": "1.5"}, '"count" must be an integer'),
        ({"count": 1.5}, '"count" must be an integer'),
        ({"count": 10**30}, '"count" must be a number'),
        ({"count": {}}, '"count" must be a number'),
        ({"rate": 0}, '"rate" must be a positive number'),
        ({"rate": float("nan")}, '"rate" must be a number'),
        ({"client_id": LARGEST_ID + 1}, '"client_id" must be a number'),
        ({"client_id": -1}, '"client_id" must be a positive number'),
        ({"is_on": "yes"}, '"is_on" must be a boolean'),
        ({"is_on": 2}, '"is_on" must be a boolean'),
        ({"is_on": []}, '"is_on" must be a boolean'),
        ({"status": "start"}, '"status" must be one of [START, PAUSED]'),
        ({"kind": 1}, '"kind" must be one of [a, b]'),
        ({"lead_list": []}, '"lead_list" must contain at least 1 items'),
        ({"lead_list": [{"email": "a"}] * 4}, '"lead_list" must contain less than or equal to 3 items'),
        ({"lead_list": [{"email": "a"}, {}]}, '"lead_list[1].email" is required'),
        ({"lead_list": [{"email": None}]}, '"lead_list[0].email" must be a string'),
        ({"lead_list": ["a"]}, '"lead_list[0]" must be of type object'),
        ({"ids": [1, "x"]}, '"ids[1]" must be a number'),
        ({"settings": []}, '"settings" must be of type object'),
        ({"settings": "a"}, '"settings" must be of type object'),
        ({"address": "nora@@hexly"}, '"address" must be a valid email'),
        ({"address": "nora"}, '"address" must be a valid email'),
        ({"address": 3}, '"address" must be a string'),
        ({"phone": True}, '"phone" must be a string'),
        ({"at": "yesterday"}, '"at" must be in ISO 8601 date format'),
        ({"at": "2026-02-30"}, '"at" must be in ISO 8601 date format'),
        ({"at": 1_774_857_602}, '"at" must be in ISO 8601 date format'),
        ({"at": "0001-01-01T00:00:00+14:00"}, '"at" must be in ISO 8601 date format'),
        ({"day": "30.03.2026"}, '"day" must be in ISO 8601 date format'),
        ({"zip_code": "1"}, '"zip_code" with value "1" fails to match the required pattern: /^\\d{5}$/'),
        ({"key_name": 1}, '"keyName" must be a string'),
        ([], '"value" must be of type object'),
        ("a", '"value" must be of type object'),
        (3, '"value" must be of type object'),
        (None, '"value" must be of type object'),
    ],
)
def test_what_cannot_be_read_is_said_as_joi_says_it(given: Any, message: str) -> None:
    found = problem(Everything, given)
    assert found.text == message
    assert found.status == 400
    assert found.envelope()["error"] == "Bad Request"


def test_the_key_of_a_problem_is_dotted() -> None:
    found = problem(Everything, {"lead_list": [{"email": "a"}, {}]})
    assert found.envelope()["validation"] == {"source": "body", "keys": ["lead_list.1.email"]}


def test_the_first_field_of_the_model_is_reported_and_unknown_ones_last() -> None:
    class Pair(StrictWire):
        first: Int
        second: Int

    assert problem(Pair, {"third": 1, "second": "x", "first": "x"}).key == "first"
    assert problem(Pair, {"third": 1, "second": "x", "first": 1}).key == "second"
    assert problem(Pair, {"third": 1, "second": 1, "first": 1}).text == '"third" is not allowed'


def test_the_path_is_reported_before_the_query_and_the_body() -> None:
    errors = [{"type": "missing", "loc": (place, "x")} for place in ("body", "query", "path")]
    assert first_problem(errors).source == "params"
    assert first_problem(errors[:2]).source == "query"


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("name", ["count", "is_on", "status", "kind", "ids", "settings", "at", "client_id"])
def test_null_and_blank_are_missing_for_what_is_optional(name: str, nothing: Any) -> None:
    given = Everything.model_validate({name: nothing})
    assert getattr(given, name) == getattr(Everything(), name)


def test_an_explicit_null_can_be_told_from_a_missing_key() -> None:
    assert Everything.model_validate({"client_id": None}).model_fields_set == {"client_id"}
    assert Everything.model_validate({"client_id": ""}).model_fields_set == set()
    assert Everything.model_validate({"count": None}).model_fields_set == set()


def test_a_blank_text_stays() -> None:
    assert Lead.model_validate({"email": "", "first_name": ""}) == Lead(email="", first_name="")


@pytest.mark.parametrize("given", [{"clientId": 7}, {"client_id": 7}, {"clientId": 8, "client_id": 7}])
def test_camel_and_snake_case_are_one_and_the_documented_name_wins(given: Any) -> None:
    assert Everything.model_validate(given).client_id == 7
    assert Everything.model_validate(dict(reversed(given.items()))).client_id == 7


@pytest.mark.parametrize("name", ["keyName", "key_name", "label"])
def test_all_choices_of_an_alias_are_accepted(name: str) -> None:
    assert Everything.model_validate({name: "a"}).key_name == "a"


def test_unknown_keys_are_ignored_and_noted() -> None:
    about = Notes()
    token = notes.set(about)
    try:
        Everything.model_validate({"lead_list": [{"email": "a", "title": 1}], "dry_run": 1})
    finally:
        notes.reset(token)
    assert list(about.ignored) == ["title", "dry_run"]


def test_unknown_keys_are_refused_where_the_contract_says_so() -> None:
    class Settings(StrictWire):
        return_lead_ids: Flag = False

    class Import(StrictWire):
        tolerates: ClassVar[frozenset[str]] = frozenset({"allow_duplicate"})
        settings: Settings = Settings()

    assert Import.model_validate({"allow_duplicate": True, "settings": {"returnLeadIds": "1"}})
    found = problem(Import, {"settings": {"update": 1}})
    assert (found.text, found.key) == ('"settings.update" is not allowed', "settings.update")


def test_strict_compat_refuses_unknown_keys_everywhere() -> None:
    token = notes.set(Notes(is_strict=True))
    try:
        assert problem(Everything, {"dry_run": 1}).text == '"dry_run" is not allowed'
    finally:
        notes.reset(token)


def test_validators_of_a_slice_speak_joi() -> None:
    def check(_value: str) -> str:
        raise fault("must be a valid {uri}")

    class Hook(Wire):
        url: Annotated[str, AfterValidator(check)] = ""

    assert problem(Hook, {"url": "x"}).text == '"url" must be a valid {uri}'


def test_reject_names_the_field() -> None:
    with pytest.raises(ValidationProblem) as raised:
        reject('"limit" must be less', key="limit", source="query")
    assert raised.value.envelope() == {
        "error": "Bad Request",
        "message": '"limit" must be less',
        "statusCode": 400,
        "ok": False,
        "validation": {"source": "query", "keys": ["limit"]},
    }


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_an_int_is_a_64_bit_integer_or_refused(value: Any) -> None:
    try:
        read = TypeAdapter(Int).validate_python(value)
    except ValidationError:
        return
    assert isinstance(read, int)
    assert not isinstance(read, bool)
    assert abs(read) <= LARGEST_ID


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_time_python_writes_is_read(time: datetime) -> None:
    assert TypeAdapter(Moment).validate_python(time.isoformat()) == time


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(ValidationError):
        assert TypeAdapter(Moment).validate_python(text).tzinfo is UTC
