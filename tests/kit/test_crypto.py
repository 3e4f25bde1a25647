"""Secrets are sealed, messages signed per purpose, and another key is noticed."""

import hmac
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.kit import crypto
from outrider.kit.crypto import (
    SealError,
    Vault,
    WrongSecretKeyError,
    check_secret_key,
    load_or_create_secret_key,
    set_vault,
    vault,
)
from outrider.kit.db import Db

VAULT = Vault("one secret key of the installation")
OTHER = Vault("another secret key")


@given(st.text())
def test_what_is_sealed_opens_again(text: str) -> None:
    sealed = VAULT.seal(text)
    assert VAULT.open(sealed) == text
    assert len(text) < 4 or text.encode() not in sealed


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert VAULT.seal("hunter2") != VAULT.seal("hunter2")


def test_another_key_does_not_open() -> None:
    with pytest.raises(SealError, match="OUTRIDER_SECRET_KEY"):
        OTHER.open(VAULT.seal("hunter2"))


@given(place=st.integers(0, 35), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(place: int, bit: int) -> None:
    sealed = bytearray(VAULT.seal("hunter2"))
    sealed[place] ^= 1 << bit
    with pytest.raises(SealError):
        VAULT.open(bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(40), b"\x01" + bytes(12)])
def test_what_is_no_seal_is_refused(sealed: bytes) -> None:
    with pytest.raises(SealError):
        VAULT.open(sealed)


@given(message=st.binary())
def test_a_signature_is_the_hmac_that_the_library_makes(message: bytes) -> None:
    expected = hmac.digest(VAULT._derive("sign:click"), message, "sha256")
    assert VAULT.sign(message, purpose="click") == expected[:16]


def test_a_signature_is_good_for_its_message_purpose_and_key_only() -> None:
    signature = VAULT.sign(b"lead 3", purpose="click")
    assert len(signature) == 16
    assert VAULT.verify(b"lead 3", signature, purpose="click")
    assert Vault("one secret key of the installation").verify(b"lead 3", signature, purpose="click")
    assert not VAULT.verify(b"lead 4", signature, purpose="click")
    assert not VAULT.verify(b"lead 3", signature, purpose="unsubscribe")
    assert not OTHER.verify(b"lead 3", signature, purpose="click")
    assert not VAULT.verify(b"lead 3", signature[:-1], purpose="click")


def test_fingerprints_tell_keys_apart() -> None:
    assert VAULT.fingerprint() == Vault("one secret key of the installation").fingerprint()
    assert VAULT.fingerprint() != OTHER.fingerprint()


async def test_a_database_stays_with_the_key_it_was_made_with(db: Db) -> None:
    await check_secret_key(db, VAULT)
    await check_secret_key(db, VAULT)
    with pytest.raises(WrongSecretKeyError, match="OUTRIDER_SECRET_KEY"):
        await check_secret_key(db, OTHER)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    key = load_or_create_secret_key(folder)
    assert len(key) >= 48
    assert load_or_create_secret_key(folder) == key
    assert [path.name for path in folder.iterdir()] == ["secret.key"]
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600


def test_of_two_processes_that_make_a_key_the_first_wins(tmp_path: Path) -> None:
    first = load_or_create_secret_key(tmp_path)
    crypto._create_key_file(tmp_path / "secret.key")
    assert load_or_create_secret_key(tmp_path) == first


def test_the_vault_of_the_process_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "_process_vault", [])
    with pytest.raises(RuntimeError, match="set_vault"):
        vault()
    set_vault(VAULT)
    assert vault() is VAULT
