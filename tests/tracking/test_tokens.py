"""Tokens say what they were made for, and nothing to anybody who changes a byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.kit.crypto import Vault
from outrider.tracking import tokens

VAULT = Vault("a-key-only-for-tests")


def _token(path: str) -> str:
    return path.split("/")[2].removesuffix(".gif")


@given(st.integers(1, 2**63 - 1), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_token_gives_back_what_it_carries(number: int, text: str) -> None:
    assert tokens.read_open(VAULT, _token(tokens.open_path(VAULT, number))) == number
    url = f"https://x.example/?q={text}"
    assert tokens.read_click(VAULT, _token(tokens.click_path(VAULT, number, url))) == tokens.Click(number, url)
    token = _token(tokens.unsubscribe_path(VAULT, 7, number, text))
    assert tokens.read_unsubscribe(VAULT, token) == tokens.Unsubscribe(7, number, text)


@given(st.integers(0, 60), st.integers(1, 255))
def test_a_changed_token_means_nothing(place: int, change: int) -> None:
    token = _token(tokens.click_path(VAULT, 12, "https://x.example/a"))
    raw = bytearray(token.encode())
    raw[place % len(raw)] = (raw[place % len(raw)] + change) % 256
    changed = raw.decode("latin-1")
    read = tokens.read_click(VAULT, changed)
    # Base64 has a spare bit or two at its end: another spelling of the same token is the same token.
    assert read is None or read == tokens.Click(12, "https://x.example/a")


@pytest.mark.parametrize("token", ["", "x", "%%%", "é" * 10, "A" * 5000])
def test_garbage_is_no_token(token: str) -> None:
    assert tokens.read_open(VAULT, token) is None
    assert tokens.read_click(VAULT, token) is None
    assert tokens.read_unsubscribe(VAULT, token) is None


def test_a_token_is_good_for_its_own_purpose_and_instance_only() -> None:
    opened = _token(tokens.open_path(VAULT, 5))
    assert tokens.read_click(VAULT, opened) is None
    assert tokens.read_open(Vault("another-key-of-tests"), opened) is None
