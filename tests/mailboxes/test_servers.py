"""From a mailbox to its servers, and log-ins against real small servers."""

from dataclasses import replace

import pytest

from outrider.kit.db import Db
from outrider.mail.server import Server, TlsMode
from outrider.mailboxes import servers, store
from outrider.mailboxes.models import Credentials, PortType
from outrider.sandbox import Sandbox
from tests.support import make
from tests.support.client import ApiClient

CREDENTIALS = Credentials(
    username="nora",
    password="secret",
    smtp_host="smtp.brightfold.example",
    smtp_port=465,
    smtp_port_type=PortType.SSL,
    imap_host="imap.brightfold.example",
    imap_port=993,
    imap_port_type=PortType.SSL,
    imap_username=None,
    imap_password=None,
)


@pytest.mark.parametrize(
    ("port", "kind", "mode"),
    [
        (465, PortType.SSL, TlsMode.IMPLICIT),
        (2465, PortType.SSL, TlsMode.IMPLICIT),
        (587, PortType.TLS, TlsMode.STARTTLS),
        (587, PortType.STARTTLS, TlsMode.STARTTLS),
        (465, PortType.TLS, TlsMode.STARTTLS),
        (25, PortType.TLS, TlsMode.STARTTLS_IF_OFFERED),
        (25, PortType.NONE, TlsMode.NONE),
        (465, None, TlsMode.IMPLICIT),
        (587, None, TlsMode.STARTTLS),
    ],
)
def test_the_port_type_says_how_to_encrypt(port: int, kind: PortType | None, mode: TlsMode) -> None:
    server = servers.smtp_server_of(replace(CREDENTIALS, smtp_port=port, smtp_port_type=kind))
    assert server == Server("smtp.brightfold.example", port, mode, username="nora", password="secret")


def test_reading_uses_the_log_in_of_sending_unless_it_has_its_own() -> None:
    server = servers.imap_server_of(CREDENTIALS)
    assert server == Server("imap.brightfold.example", 993, TlsMode.IMPLICIT, username="nora", password="secret")
    own = servers.imap_server_of(replace(CREDENTIALS, imap_username="nora.imap", imap_password="other"))
    assert own is not None
    assert (own.username, own.password) == ("nora.imap", "other")


def test_without_a_host_there_is_no_server() -> None:
    assert servers.smtp_server_of(replace(CREDENTIALS, smtp_host=None)) is None
    assert servers.imap_server_of(replace(CREDENTIALS, imap_port=None)) is None


async def test_stored_secrets_are_opened(api: ApiClient, db: Db) -> None:
    mailbox_id = await make.mailbox(db, api.user_id, imap_password=make.VAULT.seal("other"))
    mailbox = await store.load_mailbox(db, api.user_id, mailbox_id, client_id=None)
    smtp, imap = servers.smtp_server(mailbox, make.VAULT), servers.imap_server(mailbox, make.VAULT)
    assert smtp is not None
    assert imap is not None
    assert (smtp.password, imap.password) == ("secret", "other")


async def test_a_row_and_credentials_do_not_show_secrets(api: ApiClient, db: Db) -> None:
    mailbox_id = await make.mailbox(db, api.user_id)
    mailbox = await store.load_mailbox(db, api.user_id, mailbox_id, client_id=None)
    assert mailbox.password is not None
    assert repr(mailbox.password) not in repr(mailbox)
    assert "secret" not in repr(servers.open_credentials(mailbox, make.VAULT))


def at(sandbox: Sandbox, **given: object) -> Credentials:
    local = replace(
        CREDENTIALS,
        username="nora@brightfold.example",
        smtp_host=sandbox.host,
        smtp_port=sandbox.smtp_port,
        smtp_port_type=PortType.NONE,
        imap_host=sandbox.host,
        imap_port=sandbox.imap_port,
        imap_port_type=PortType.NONE,
    )
    return replace(local, **given)  # type: ignore[arg-type]


async def test_a_right_password_passes_both_servers() -> None:
    async with Sandbox() as sandbox:
        sandbox.add_mailbox("nora@brightfold.example", "secret")
        verdict = await servers.verify(at(sandbox))
    assert verdict.is_success, verdict.text


async def test_wrong_passwords_are_told_apart() -> None:
    async with Sandbox() as sandbox:
        sandbox.add_mailbox("nora@brightfold.example", "secret")
        both = await servers.verify(at(sandbox, password="wrong"))
        imap_only = await servers.verify(at(sandbox, imap_password="wrong"))
    assert "535" in (both.smtp_error or "")
    assert not both.is_imap_success
    assert (imap_only.is_smtp_success, imap_only.is_imap_success) == (True, False)
    assert imap_only.text.startswith("IMAP: ")
    assert imap_only.text.count("IMAP: ") == 1


async def test_a_port_where_nobody_listens_is_named() -> None:
    async with Sandbox() as sandbox:
        sandbox.add_mailbox("nora@brightfold.example", "secret")
        credentials = at(sandbox)
    verdict = await servers.verify(credentials)
    assert "refused" in (verdict.smtp_error or "")
    assert "refused" in (verdict.imap_error or "")
