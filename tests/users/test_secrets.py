"""Keys, tokens and passwords (contract: conventions §2)."""

import re
from uuid import UUID

import pytest

from outrider.users.secrets import can_be_key, digest, hash_password, is_password, make_key, make_token


def test_a_key_is_a_uuid_and_seven_characters_of_base_36() -> None:
    keys = {make_key() for _ in range(200)}
    assert len(keys) == 200
    for key in keys:
        uuid, tail = key.split("_")
        assert UUID(uuid).version == 4
        assert re.fullmatch("[0-9a-z]{7}", tail)
        assert can_be_key(key)


@pytest.mark.parametrize(
    "text", ["", "1234567", "x" * 201, "with blank", "ümlaut-key", "a\nb-long-enough", "nul\0-in-it-"]
)
def test_what_can_be_no_key(text: str) -> None:
    assert not can_be_key(text)


def test_tokens_fit_into_an_address() -> None:
    token = make_token()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert make_token() != token


def test_a_digest_is_sha_256() -> None:
    assert digest("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


async def test_passwords_are_stored_with_argon2id() -> None:
    stored = await hash_password("tide-and-rope-44")
    assert stored.startswith("$argon2id$")
    assert "tide" not in stored
    assert stored != await hash_password("tide-and-rope-44")
    assert await is_password("tide-and-rope-44", stored)
    assert not await is_password("tide-and-rope-45", stored)


async def test_nobody_has_no_password() -> None:
    assert not await is_password("", None)
    assert not await is_password("anything", None)
    assert not await is_password("anything", "not a hash")
