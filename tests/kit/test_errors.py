"""The sentence of an error is its docstring, filled in; its envelope is the contract's."""

import pytest

from outrider.kit.errors import Conflict, Invalid, NotAllowed, NotFound, Problem, TooMany, ValidationProblem


class CampaignNotFound(NotFound):
    """Campaign not found - Invalid campaign_id."""


class InvalidTimezone(Invalid):
    """Invalid timezone - {value}"""


def test_the_docstring_is_the_default_sentence() -> None:
    assert CampaignNotFound().text == "Campaign not found - Invalid campaign_id."
    assert str(CampaignNotFound()) == "Campaign not found - Invalid campaign_id."


def test_values_fill_the_sentence_and_may_contain_braces() -> None:
    assert InvalidTimezone(value="Mars/{north}").text == "Invalid timezone - Mars/{north}"


def test_a_given_text_wins_and_is_taken_as_it_is() -> None:
    assert InvalidTimezone("Use {braces}").text == "Use {braces}"


def test_a_domain_error_has_its_text_twice() -> None:
    assert CampaignNotFound().envelope() == {
        "error": "Campaign not found - Invalid campaign_id.",
        "message": "Campaign not found - Invalid campaign_id.",
        "statusCode": 404,
        "ok": False,
    }


def test_a_validation_problem_names_the_field_as_joi_does() -> None:
    problem = ValidationProblem('"name" is required', source="body", key="name")
    assert problem.envelope() == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": '"name" is required',
        "validation": {"source": "body", "keys": ["name"]},
        "ok": False,
    }


def test_extra_keys_are_added_and_may_replace() -> None:
    envelope = TooMany("Wait.", extra={"retry_after": 17, "ok": True}).envelope()
    assert envelope == {
        "error": "Too Many Requests",
        "message": "Wait.",
        "statusCode": 429,
        "ok": True,
        "retry_after": 17,
    }


@pytest.mark.parametrize(
    ("problem", "status"),
    [(Problem, 500), (NotFound, 404), (Invalid, 400), (Conflict, 400), (NotAllowed, 403), (TooMany, 429)],
)
def test_each_kind_has_its_status_and_a_sentence(problem: type[Problem], status: int) -> None:
    assert problem().status == status
    assert problem().text
