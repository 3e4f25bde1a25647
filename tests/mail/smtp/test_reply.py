"""Replies as servers write them, whole, in pieces and malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.smtp.reply import MalformedReply, Reply, ReplyParser


def read(octets: bytes) -> list[Reply]:
    return list(ReplyParser().feed(octets))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"250 ok\r\n", Reply(250, None, ("ok",))),
        (b"250\r\n", Reply(250, None, ("",))),
        (b"250 \n", Reply(250, None, ("",))),
        (b"250 2.1.0 Ok\r\n", Reply(250, "2.1.0", ("Ok",))),
        (b"550 5.1.1\r\n", Reply(550, "5.1.1", ("",))),
        (b"250 2.1.0.4 Ok\r\n", Reply(250, None, ("2.1.0.4 Ok",))),
        (b"550-5.1.1 No such user.\r\n550 5.1.1 Try again\r\n", Reply(550, "5.1.1", ("No such user.", "Try again"))),
        (b"250-x.example\r\n250-PIPELINING\r\n250 SIZE\r\n", Reply(250, None, ("x.example", "PIPELINING", "SIZE"))),
        ("550 niño\tx\r\n".encode(), Reply(550, None, ("niño x",))),
        (b"550 ni\xf1o\r\n", Reply(550, None, ("ni\ufffdo",))),
    ],
)
def test_a_reply_is_read(octets: bytes, expected: Reply) -> None:
    assert read(octets) == [expected]


def test_a_reply_is_quoted_as_a_person_would() -> None:
    (reply,) = read(b"550-5.1.1 No such user.\r\n550 5.1.1 Bye\r\n")
    assert str(reply) == "550 5.1.1 No such user. Bye"


@given(st.lists(st.sampled_from([b"250 ok\r\n", b"250-a\r\n250 b\r\n", b"550 5.1.1 no\r\n"])), st.data())
def test_pieces_of_any_size_give_the_same_replies(replies: list[bytes], data: st.DataObject) -> None:
    octets = b"".join(replies)
    parser, rest = ReplyParser(), octets
    found: list[Reply] = []
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += parser.feed(rest[:size])
        rest = rest[size:]
    assert found == read(octets)
    assert len(found) == len(replies)
    assert parser.is_between_replies


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\r\n",
        b"25 ok\r\n",
        b"650 ok\r\n",
        b"250ok\r\n",
        b"\r\n",
        b"250 " + b"x" * 5000 + b"\r\n",
        b"250-" + b"x" * 5000 + b"\r\n",
        b"250 " + b"x" * 5000,
        b"250-x\r\n" * 300,
        b"2\xb950 ok\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
    ],
)
def test_what_is_no_reply_or_has_no_end_is_refused(octets: bytes) -> None:
    with pytest.raises(MalformedReply):
        read(octets)


def test_replies_before_a_malformed_one_are_kept() -> None:
    replies = iter(ReplyParser().feed(b"250 ok\r\nrubbish\r\n"))
    assert next(replies) == Reply(250, None, ("ok",))
    with pytest.raises(MalformedReply):
        next(replies)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(octets: bytes) -> None:
    try:
        replies = read(octets)
    except MalformedReply:
        return
    assert all(200 <= reply.code < 600 and "\n" not in str(reply) for reply in replies)


def test_what_is_remembered_is_read_like_what_is_new() -> None:
    """Whole, in pieces and malformed, also for the second time and after a reply that was begun."""
    octets = b"250 2.1.0 Ok\r\n250-a\r\n250 b\r\n354 go\r\n"
    expected = [Reply(250, "2.1.0", ("Ok",)), Reply(250, None, ("a", "b")), Reply(354, None, ("go",))]
    for _ in range(2):
        assert read(octets) == expected
        parser = ReplyParser()
        assert list(parser.feed(b"250-a\r\n")) == []
        assert list(parser.feed(b"250 b\r\n")) == [Reply(250, None, ("a", "b"))]
        assert list(parser.feed(b"250 b\r\n")) == [Reply(250, None, ("b",))]
        assert parser.is_between_replies
        replies = iter(ReplyParser().feed(b"250 ok\r\nrubbish\r\n"))
        assert next(replies) == Reply(250, None, ("ok",))
        with pytest.raises(MalformedReply):
            next(replies)
