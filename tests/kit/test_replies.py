"""Answers as bytes (contract: conventions §4, §7, §8)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.kit.errors import NotFound, Problem
from outrider.kit.exchange import Unavailable
from outrider.kit.replies import problem_reply, reply, stream_csv, written


class Word(StrEnum):
    STARTED = "STARTED"


@dataclass
class Row:
    password: str


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (datetime(2026, 3, 30, 8, 0, 2, 117_999, UTC), b'"2026-03-30T08:00:02.117Z"'),
        (datetime(2026, 3, 30, 8, 0, 2, tzinfo=UTC), b'"2026-03-30T08:00:02.000Z"'),
        (datetime(2026, 3, 30, 8, tzinfo=timezone(timedelta(hours=2))), b'"2026-03-30T06:00:00.000Z"'),
        (date(2026, 3, 30), b'"2026-03-30"'),
        (UUID("7b1c22d0-5a90-4c1e-9b3f-0d2f6f0a7c11"), b'"7b1c22d0-5a90-4c1e-9b3f-0d2f6f0a7c11"'),
        (Word.STARTED, b'"STARTED"'),
        (Decimal(3), b"3"),
        (Decimal("3.25"), b"3.25"),
        ({2, 1}, b"[1,2]"),
        (2**63 - 1, b"9223372036854775807"),
        ("ä", '"ä"'.encode()),
        ([], b"[]"),
        (None, b"null"),
    ],
)
def test_values_have_one_form(value: Any, body: bytes) -> None:
    assert reply(value).body == body


def test_rows_are_written_out_by_hand() -> None:
    """A dataclass is never sent as it is: it may hold a secret."""
    with pytest.raises(TypeError):
        reply(Row("secret"))


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_written_time_is_read_back_to_the_millisecond(time: datetime) -> None:
    text = written(time)
    assert len(text) == 24
    assert datetime.fromisoformat(text) == time.replace(microsecond=time.microsecond // 1000 * 1000)


def test_a_reply_has_status_type_length_and_headers() -> None:
    response = reply({"ok": True}, status=406, headers={"X-Seen": "1"})
    assert response.status_code == 406
    assert dict(response.headers) == {
        "content-length": "11",
        "content-type": "application/json; charset=utf-8",
        "x-seen": "1",
    }


def test_a_problem_is_the_envelope() -> None:
    response = problem_reply(NotFound("Lead not found - Invalid lead_id."))
    assert response.status_code == 404
    assert response.body == (
        b'{"error":"Lead not found - Invalid lead_id.","message":"Lead not found - Invalid lead_id.",'
        b'"statusCode":404,"ok":false}'
    )


def test_extra_keys_of_a_problem_are_added_and_may_replace() -> None:
    response = problem_reply(NotFound("x", extra={"ok": True, "id": 7}))
    assert b'"ok":true,"id":7' in bytes(response.body)


def test_unavailable_says_when_to_come_back() -> None:
    response = problem_reply(Unavailable())
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert problem_reply(Unavailable(retry_after=1)).headers["retry-after"] == "1"


def test_a_refused_key_names_the_scheme() -> None:
    class Refused(Problem):
        """API key is required."""

        status = 401

    assert problem_reply(Refused()).headers["www-authenticate"] == "ApiKey"


@pytest.mark.parametrize(
    ("filename", "disposition"),
    [
        ("sl_campaign_3411207_leads.csv", "attachment; filename=sl_campaign_3411207_leads.csv"),
        ('a "b".csv', "attachment; filename=\"a _b_.csv\"; filename*=UTF-8''a%20%22b%22.csv"),
    ],
)
def test_a_download_with_a_plain_name_names_it_plainly(filename: str, disposition: str) -> None:
    async def lines() -> AsyncIterator[str]:
        yield "id\n"

    assert stream_csv(filename, lines()).headers["content-disposition"] == disposition
