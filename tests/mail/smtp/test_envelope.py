"""Envelopes before they are sent: what a server cannot take, and how content goes over the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.smtp.envelope import Envelope, dot_stuffed, mail_command, objection
from outrider.mail.smtp.outcome import Rejected
from outrider.mail.smtp.session import Capabilities

FULL = Capabilities(pipelining=True, size=1000, eight_bit_mime=True, smtputf8=True)
NONE = Capabilities()


def envelope(
    *, sender: str = "nora@acme.example", to: str = "jane@x.example", data: bytes = b"Subject: x\r\n\r\nx\r\n"
) -> Envelope:
    return Envelope(sender, (to,), data)


def scope_of(rejected: Rejected | None) -> str | None:
    return rejected.scope.value if rejected else None


@pytest.mark.parametrize(
    ("candidate", "capabilities", "expected"),
    [
        (envelope(), NONE, None),
        (envelope(sender=""), NONE, None),
        (envelope(to='"jane doe"@x.example'), NONE, None),
        (envelope(to="jane@x.example> SIZE=1"), NONE, "recipient"),
        (envelope(to="jane@x.example\r\nRCPT TO:<evil@y.example"), NONE, "recipient"),
        (envelope(to=""), NONE, "recipient"),
        (envelope(sender="a b@x.example"), NONE, "sender"),
        (envelope(data=b"x" * 1001), FULL, "message"),
        (envelope(data=b"x" * 1001), Capabilities(size=0), None),
        (envelope(to="用户@x.example"), NONE, "recipient"),
        (envelope(to="用户@x.example"), FULL, None),
        (envelope(sender="ñ@x.example"), NONE, "sender"),
        (envelope(data="ñ\r\n".encode()), NONE, "message"),
        (envelope(data="ñ\r\n".encode()), FULL, None),
    ],
)
def test_what_a_server_cannot_take_is_known_beforehand(
    candidate: Envelope, capabilities: Capabilities, expected: str | None
) -> None:
    assert scope_of(objection(candidate, capabilities)) == expected


def test_a_bad_copy_blames_the_mailbox_that_asked_for_it() -> None:
    assert scope_of(objection(Envelope("a@x.example", ("b@x.example", "c>@x"), b""), NONE)) == "sender"


def test_an_envelope_without_recipient_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="recipient"):
        Envelope("a@x.example", (), b"")


@pytest.mark.parametrize(
    ("candidate", "capabilities", "expected"),
    [
        (envelope(data=b"12345"), NONE, b"MAIL FROM:<nora@acme.example>\r\n"),
        (envelope(sender="", data=b"12345"), FULL, b"MAIL FROM:<> SIZE=5\r\n"),
        (envelope(data=b"\xc3\xb1"), FULL, b"MAIL FROM:<nora@acme.example> SIZE=2 BODY=8BITMIME\r\n"),
        (
            envelope(to="ñ@x.example", data=b"1"),
            FULL,
            b"MAIL FROM:<nora@acme.example> SIZE=1 BODY=8BITMIME SMTPUTF8\r\n",
        ),
    ],
)
def test_the_mail_command_uses_what_the_server_offers(
    candidate: Envelope, capabilities: Capabilities, expected: bytes
) -> None:
    assert mail_command(candidate, capabilities) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\r\n.b\r\n", b"a\r\n..b\r\n"),
        (b".a\r\n", b"..a\r\n"),
        (b"a", b"a\r\n"),
        (b"a\n.\nMAIL FROM:<x>\n", b"a\r\n..\r\nMAIL FROM:<x>\r\n"),
        (b"a\nb\rc\r\n", b"a\r\nb\r\nc\r\n"),
        (b"a\rb\n", b"a\r\nb\r\n"),
        (b"a\xff\r\n\r\n.\xff", b"a\xff\r\n\r\n..\xff\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n"),
        (b"a\r\n.\n.\r\n", b"a\r\n..\r\n..\r\n"),
        (b"", b"\r\n"),
    ],
)
def test_no_content_can_end_itself(data: bytes, expected: bytes) -> None:
    assert dot_stuffed(data) == expected


@given(st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"x"])).map(b"".join))
def test_stuffed_content_has_only_whole_line_ends_and_no_lone_dot(data: bytes) -> None:
    lines = dot_stuffed(data).split(b"\r\n")
    assert lines.pop() == b""
    assert all(line != b"." and b"\r" not in line and b"\n" not in line for line in lines)
    assert all(line.startswith(b"..") for line in lines if line.startswith(b"."))
