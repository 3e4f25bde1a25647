"""Bodies as clients really send them (contract: conventions §9)."""

import contextlib
import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.kit.body import UnreadableBody, fields_of, parse_json
from outrider.kit.validation import CONTROL
from tests.support.client import ApiClient

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


def cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return CONTROL.sub("", value)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {CONTROL.sub("", key): cleaned(item) for key, item in value.items()}
    return value


@given(ANY_JSON, st.booleans())
def test_json_is_read_without_control_characters(value: Any, as_ascii: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=as_ascii).encode("utf-8", "surrogatepass")) == cleaned(value)


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_unreadable(raw: bytes) -> None:
    with contextlib.suppress(UnreadableBody):
        parse_json(raw)


@pytest.mark.parametrize(
    "raw",
    [b"{", b'{"a":}', b'{"a": NaN}', b"\xff", b'{"a": "\xff"}', b'{"a": "\\ud800"}', b"[" * 100_000, b"hello"],
)
async def test_unreadable_json_is_400(things: ApiClient, raw: bytes) -> None:
    response = await things.post("/things/anything", content=raw)
    assert response.status_code == 400
    assert response.json() == {
        "error": "Bad Request",
        "message": "Invalid JSON body",
        "statusCode": 400,
        "ok": False,
    }


@pytest.mark.parametrize(("depth", "status"), [(32, 200), (33, 400)])
async def test_depth_is_limited_to_32(things: ApiClient, depth: int, status: int) -> None:
    raw = '{"a":' * depth + "1" + "}" * depth
    assert (await things.post("/things/anything", content=raw)).status_code == status


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "nonsense", "multipart/form-data", "application/json"],
)
@pytest.mark.parametrize("raw", [b'{"name": "a"}', b' \r\n\t{"name": "a"}', b'\xef\xbb\xbf{"name": "a"}'])
async def test_json_is_json_whatever_the_header_says(things: ApiClient, content_type: str | None, raw: bytes) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = await things.post("/things/anything", content=raw, headers=headers)
    assert response.json() == {"name": "a"}


@pytest.mark.parametrize("raw", [b"", b"  \r\n"])
async def test_a_blank_body_is_an_empty_object(things: ApiClient, raw: bytes) -> None:
    assert (await things.post("/things/anything", content=raw)).json() == {}


@pytest.mark.parametrize("raw", [b"[1]", b'["a"]'])
async def test_a_body_that_is_no_object_is_called_value(things: ApiClient, raw: bytes) -> None:
    response = await things.post("/things", content=raw)
    assert response.json()["message"] == '"value" must be of type object'


async def test_the_last_of_equal_keys_wins(things: ApiClient) -> None:
    assert (await things.post("/things/anything", content=b'{"a": 1, "a": 2}')).json() == {"a": 2}


async def test_form_fields_become_strings(things: ApiClient) -> None:
    form = {"name": "Nora ä", "tag[]": "x", "list": ["1", "2"], "empty": ""}
    assert (await things.post("/things/anything", data=form)).json() == {
        "name": "Nora ä",
        "tag": ["x"],
        "list": ["1", "2"],
        "empty": "",
    }


async def test_multipart_fields_become_strings(things: ApiClient) -> None:
    response = await things.post("/things/anything", data={"name": "a"}, files={"rows": ("rows.csv", "email\r\nä")})
    assert response.json() == {"name": "a", "rows": "email\r\nä"}


async def test_a_file_in_another_encoding_is_no_obstacle(things: ApiClient) -> None:
    response = await things.post("/things/anything", data={"name": "a"}, files={"rows": ("rows.csv", b"K\xe4the")})
    assert response.json() == {"name": "a", "rows": "K\ufffdthe"}


async def test_a_table_is_left_to_the_route(things: ApiClient) -> None:
    response = await things.post("/things/anything", content=b"email;name", headers={"content-type": "text/csv"})
    assert response.json() == {}


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
async def test_a_broken_form_is_400(things: ApiClient, content_type: str) -> None:
    response = await things.post("/things/anything", content=b"--y\r\n", headers={"content-type": content_type})
    assert response.json()["message"] == "Invalid JSON body"


async def test_a_form_that_is_no_utf8_is_400(things: ApiClient) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for raw in (b"name=%ff", b"name=\xff"):
        assert (await things.post("/things/anything", content=raw, headers=headers)).status_code == 400


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "a[]"]), st.text(max_size=3))))
def test_forms_lose_no_value(pairs: list[tuple[str, str]]) -> None:
    found = fields_of(pairs)
    values = [value for each in found.values() for value in (each if isinstance(each, list) else [each])]
    assert sorted(values) == sorted(CONTROL.sub("", value) for _, value in pairs)


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b'{"name": "a"}', mtime=0)),
        ("GZIP", gzip.compress(b'{"name": "a"}', mtime=0)),
        ("deflate", zlib.compress(b'{"name": "a"}')),
        ("deflate", raw_deflate(b'{"name": "a"}')),
        ("identity", b'{"name": "a"}'),
    ],
)
async def test_packed_bodies_are_unpacked(things: ApiClient, encoding: str, packed: bytes) -> None:
    response = await things.post("/things/anything", content=packed, headers={"content-encoding": encoding})
    assert response.json() == {"name": "a"}


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", b"nonsense"), ("gzip", gzip.compress(b"{}", mtime=0)[:-9]), ("deflate", b""), ("br", b"{}")],
)
async def test_badly_packed_bodies_are_400(things: ApiClient, encoding: str, packed: bytes) -> None:
    response = await things.post("/things/anything", content=packed, headers={"content-encoding": encoding})
    assert response.status_code == 400


class TestSize:
    @pytest.fixture
    async def small(self, things_with: Any) -> ApiClient:
        client: ApiClient = await things_with(max_body_bytes=1000)
        return client

    async def refused(self, client: ApiClient, **options: Any) -> bool:
        response = await client.post("/things/anything", **options)
        if response.status_code == 200:
            return False
        assert response.status_code == 413
        assert response.json()["error"] == "Payload Too Large"
        assert response.json()["message"] == "request entity too large"
        return True

    async def test_up_to_the_limit_a_body_is_read(self, small: ApiClient) -> None:
        assert not await self.refused(small, content=b" " * 998 + b"{}")

    async def test_a_byte_more_is_413(self, small: ApiClient) -> None:
        assert await self.refused(small, content=b" " * 999 + b"{}")

    async def test_without_a_length_too(self, small: ApiClient) -> None:
        async def chunks() -> Any:
            for _ in range(200):
                yield b" " * 10

        assert await self.refused(small, content=chunks())

    @pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw_deflate])
    async def test_after_unpacking_too(self, small: ApiClient, pack: Any) -> None:
        """A bomb: some hundred bytes that would become a hundred thousand."""
        encoding = "gzip" if pack is gzip.compress else "deflate"
        packed = pack(b'{"a": "' + b"x" * 100_000 + b'"}')
        assert len(packed) < 1000
        assert await self.refused(small, content=packed, headers={"content-encoding": encoding})
