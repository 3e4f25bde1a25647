"""A few hundred calls that nobody has thought of; `make schemathesis` makes 20,000."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.core.failures import FailureGroup

from outrider.asgi import APIS, api_routes
from outrider.kit.openapi import document_of
from tests.contract.fuzzing import CHECKS, fuzz
from tests.support.database import make_database, make_template

CALLS = 400
REFUSAL = {"error": "Not Found", "message": "Not Found", "statusCode": 404, "ok": False}


@pytest.mark.timeout(0)  # as long as it takes on a machine that has other things to do
@pytest.mark.filterwarnings("ignore")  # of the tool itself
async def test_no_call_is_answered_otherwise_than_the_document_says(server_url: str, worker_id: str) -> None:
    url = make_database(server_url, f"fuzz_{worker_id}", await make_template(server_url))
    tally = await fuzz(url, calls=CALLS, number=1)
    assert not tally.failures, "\n\n".join(f"{what}\n{shown}" for what, shown in tally.failures.items())
    assert tally.calls == CALLS
    assert tally.statuses[200] > CALLS / 4, f"hardly any call gets far: {tally.statuses}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        (httpx.Response(200, json={"ok": True}), True),
        (httpx.Response(404, json=REFUSAL), True),
        (httpx.Response(500, json=REFUSAL), False),
        (httpx.Response(302, json={}), False),
        (httpx.Response(200, html="<p>Hello</p>"), False),
        (httpx.Response(404, json={"error": "Not Found"}), False),
    ],
)
def test_what_the_document_does_not_say_is_seen(answer: httpx.Response, is_right: bool) -> None:
    schema = schemathesis.openapi.from_dict(document_of(api_routes(APIS)))
    case: Any = schema["/api/v1/campaigns/{campaign_id}/settings"]["GET"].Case(path_parameters={"campaign_id": 1})
    answer.elapsed = timedelta(0)
    answer.request = httpx.Request("GET", "http://outrider.test/api/v1/campaigns/1/settings")
    try:
        case.validate_response(answer, checks=CHECKS)
    except FailureGroup:
        assert not is_right
    else:
        assert is_right
