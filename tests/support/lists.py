"""Lists of leads for tests: `list_id = await new_list(api)`, `await fill(api, list_id, "ada@hexly.io")`."""

from typing import Any

from outrider.kit.db import Db, fetch_dicts
from tests.support.client import ApiClient


async def post(api: ApiClient, path: str, body: Any, *, status: int = 200) -> Any:
    answer = await api.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def get(api: ApiClient, path: str, **params: Any) -> Any:
    answer = await api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def new_list(api: ApiClient, name: str = "Nordic") -> int:
    return int((await post(api, "/lead-list/", {"listName": name}))["data"]["id"])


async def fill(api: ApiClient, list_id: int, *emails: str, **more: Any) -> Any:
    body = {"leadList": [{"email": email} for email in emails], "fileName": "nordic.csv", **more}
    return await post(api, f"/lead-list/{list_id}/import", body)


async def members(db: Db, list_id: int) -> list[str]:
    rows = await fetch_dicts(
        db,
        """
        SELECT email
        FROM lead_list_members
        JOIN leads ON leads.id = lead_id
        WHERE list_id = %(id)s
        ORDER BY leads.id
        """,
        {"id": list_id},
    )
    return [row["email"] for row in rows]
