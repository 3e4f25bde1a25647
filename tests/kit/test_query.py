"""Query strings as clients write them (contract: conventions §5, §8)."""

from typing import Any

import pytest

from tests.support.client import ApiClient

PLAIN = {"colors": [], "owner_id": None, "search": None}


async def read(things: ApiClient, query: str) -> Any:
    response = await things.get(f"/things?{query}")
    assert response.status_code == 200, response.text
    return response.json()["query"]


@pytest.mark.parametrize(
    "query",
    [
        "colors=RED&colors=BLUE",
        "colors[]=RED&colors[]=BLUE",
        "colors%5B%5D=RED&colors%5B%5D=BLUE",
        "colors[0]=RED&colors[1]=BLUE",
        "colors=RED,BLUE",
        "colors=RED,%20BLUE,",
        "colors=%5B%22RED%22,%22BLUE%22%5D",
    ],
)
async def test_lists_have_many_spellings(things: ApiClient, query: str) -> None:
    assert await read(things, query) == {**PLAIN, "colors": ["RED", "BLUE"]}


async def test_a_single_value_is_a_list_of_one(things: ApiClient) -> None:
    assert await read(things, "colors=RED") == {**PLAIN, "colors": ["RED"]}


@pytest.mark.parametrize("nothing", ["", "None", "null", "undefined", "%20"])
async def test_words_for_nothing_count_as_missing(things: ApiClient, nothing: str) -> None:
    query = f"colors={nothing}&owner_id={nothing}&search={nothing}&limit={nothing}&offset={nothing}"
    assert await read(things, query) == PLAIN


@pytest.mark.parametrize("query", ["owner_id=7", "ownerId=7", "ownerId=8&owner_id=7", "owner_id=7&ownerId=8"])
async def test_camel_and_snake_case_are_one_and_the_documented_name_wins(things: ApiClient, query: str) -> None:
    assert await read(things, query) == {**PLAIN, "owner_id": 7}


async def test_aliases_are_known(things: ApiClient) -> None:
    assert await read(things, "q=%20hexly%20") == {**PLAIN, "search": "hexly"}


async def test_the_last_of_equal_names_wins(things: ApiClient) -> None:
    assert await read(things, "owner_id=6&owner_id=7") == {**PLAIN, "owner_id": 7}


async def test_control_characters_are_removed(things: ApiClient) -> None:
    assert await read(things, "se%00arch=a%00b%07%1Bc%09d") == {**PLAIN, "search": "abc\td"}


@pytest.mark.parametrize(
    ("query", "message", "key"),
    [
        ("owner_id=x", '"owner_id" must be a number', "owner_id"),
        ("ownerId=x", '"owner_id" must be a number', "owner_id"),
        ("owner_id=-1", '"owner_id" must be a positive number', "owner_id"),
        ("colors=RED,GREEN", '"colors[1]" must be one of [RED, BLUE]', "colors.1"),
        ("limit=0", '"limit" must be larger than or equal to 1', "limit"),
        ("limit=51", '"limit" must be less than or equal to 50', "limit"),
        ("limit=1.5", '"limit" must be an integer', "limit"),
        ("page_size=51", '"limit" must be less than or equal to 50', "limit"),
        ("offset=-1", '"offset" must be larger than or equal to 0', "offset"),
        ("skip=x", '"offset" must be a number', "offset"),
        ("page=0", '"page" must be larger than or equal to 1', "page"),
    ],
)
async def test_problems_name_the_documented_parameter(things: ApiClient, query: str, message: str, key: str) -> None:
    response = await things.get(f"/things?{query}")
    assert response.status_code == 400
    assert response.json()["message"] == message
    assert response.json()["validation"] == {"source": "query", "keys": [key]}


@pytest.mark.parametrize("query", ["%", "%zz=1", "=", "&&&", "a&b;c", "%ff=%ff", "x" * 3000, "a=" * 500])
async def test_nonsense_is_ignored(things: ApiClient, query: str) -> None:
    assert await read(things, query) == PLAIN
