"""Every expected answer of the contract's worked data set, to the digit, over HTTP (contract: analytics)."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.analytics.worked import NOW
from tests.support.client import ApiClient

EXPECTED: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("worked.json").read_text("utf-8"))
CASES = {
    "A": "start_date=2025-07-30&end_date=2025-08-02&timezone=UTC",
    "B": "start_date=2025-07-30&end_date=2025-08-01&timezone=America/New_York",
    "C": "start_date=2025-07-31&end_date=2025-07-31&timezone=UTC",
    "D": "start_date=2025-07-30&end_date=2025-08-02&timezone=UTC&client_ids=502",
    "E": "start_date=2025-07-30&end_date=2025-08-02&timezone=UTC&campaign_ids=101,103",
    "F": "start_date=2025-07-30&end_date=2025-08-02&timezone=UTC&campaign_ids=999999",
}


def questions() -> Iterator[tuple[str, str, Any]]:
    for case, answers in EXPECTED.items():
        for question, data in answers.items():
            path, _, more = question.partition(" + ")
            query = CASES.get(case, CASES["A"])
            yield path, f"{query}&{more}" if more else query, data


@pytest.fixture
def now() -> datetime:
    return NOW


def test_nothing_of_the_contract_is_left_out() -> None:
    assert {case: len(answers) for case, answers in EXPECTED.items()} == {
        "A": 22, "B": 10, "C": 5, "D": 4, "E": 2, "F": 7, "pages": 5,
    }  # fmt: skip


async def test_the_figures_are_those_of_the_contract(worked: ApiClient) -> None:
    wrong = []
    for path, query, data in questions():
        answer = (await worked.get(f"{path}?{query}")).json()
        assert answer.get("success") is answer["ok"] is True, (path, answer)
        if answer["data"] != data:
            wrong.append(f"{path}?{query}\n  {answer['data']}\n  {data}")
    assert not wrong, "\n".join(wrong)
