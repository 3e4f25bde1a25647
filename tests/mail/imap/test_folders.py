"""Names of folders on the wire, and what they are for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.imap.folders import Folder, FolderRole, decode_name, encode_name, read_folders


def roles(*lines: bytes | bytearray) -> dict[str, FolderRole | None]:
    return {folder.name: folder.role for folder in read_folders(lines)}


def test_the_server_says_what_folders_are_for() -> None:
    assert roles(
        b'(\\HasNoChildren) "/" INBOX',
        b'(\\HasChildren \\Noselect) "/" "[Gmail]"',
        b'(\\All \\HasNoChildren) "/" "[Gmail]/Alle Nachrichten"',
        b'(\\HasNoChildren \\Sent) "/" "[Gmail]/Gesendet"',
        b'(\\HasNoChildren \\Junk) "/" "[Gmail]/Spam"',
        b'(\\HasNoChildren \\Trash) "/" "[Gmail]/Papierkorb"',
    ) == {
        "INBOX": FolderRole.INBOX,
        "[Gmail]": None,
        "[Gmail]/Alle Nachrichten": FolderRole.ALL,
        "[Gmail]/Gesendet": FolderRole.SENT,
        "[Gmail]/Spam": FolderRole.JUNK,
        "[Gmail]/Papierkorb": FolderRole.TRASH,
    }


@pytest.mark.parametrize(
    ("name", "role"),
    [
        (b'"Junk"', FolderRole.JUNK),
        (b'"INBOX.Spam"', FolderRole.JUNK),
        (b'"Junk E-Mail"', FolderRole.JUNK),
        (b'"Courrier ind&AOk-sirable"', FolderRole.JUNK),
        (b'"INBOX.Sent Items"', FolderRole.SENT),
        (b'"Gesendete Objekte"', FolderRole.SENT),
        (b'"&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-"', FolderRole.SENT),
        (b"&V4NXPpCuTvY-", FolderRole.JUNK),
        (b'"Sent to the moon"', None),
        (b"inbox", FolderRole.INBOX),
    ],
)
def test_without_special_use_the_name_tells(name: bytes, role: FolderRole | None) -> None:
    assert [folder.role for folder in read_folders([b'(\\HasNoChildren) "." ' + name])] == [role]


def test_the_servers_word_counts_more_than_a_name() -> None:
    assert roles(b'() "/" "Sent"', b'(\\Sent) "/" "Sent Items"') == {"Sent": None, "Sent Items": FolderRole.SENT}


def test_each_role_is_given_once() -> None:
    assert roles(b'() "/" "Spam"', b'() "/" "Junk"') == {"Spam": FolderRole.JUNK, "Junk": None}


def test_odd_but_legal_names_are_read() -> None:
    assert read_folders(
        [
            b'(\\NoInferiors) NIL "a \\"b\\" \\\\c"',
            b'() "/" {7}',
            bytearray(b'lit"era'),
            b"",
            b'(\\NonExistent) "\\\\" gone',
            b"this is no folder",
        ]
    ) == [
        Folder('a "b" \\c', None),
        Folder('lit"era', None),
        Folder("gone", None, is_selectable=False),
    ]


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", "INBOX"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("A & B", "A &- B"),
        ("垃圾邮件", "&V4NXPpCuTvY-"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("🎉", "&2DzfiQ-"),
    ],
)
def test_names_in_modified_utf_7(name: str, wire: str) -> None:
    assert encode_name(name) == wire
    assert decode_name(wire) == name


@given(st.text(max_size=40))
def test_every_name_comes_back_and_is_printable_ascii_on_the_wire(name: str) -> None:
    wire = encode_name(name)
    assert all(" " <= character <= "~" for character in wire)
    assert decode_name(wire) == name


@given(st.lists(st.binary(max_size=40) | st.binary(max_size=10).map(bytearray), max_size=5))
def test_no_answer_makes_it_raise(lines: list[bytes | bytearray]) -> None:
    assert isinstance(read_folders(lines), list)
