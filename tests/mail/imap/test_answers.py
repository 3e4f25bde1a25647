"""Answers of servers as values."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.imap.answers import (
    Fetched,
    appended_uid,
    internal_date,
    messages,
    search_result,
    sizes,
    status_number,
)


def test_uid_validity_and_next_are_found_in_any_order() -> None:
    lines = [b"3 EXISTS", b"OK [UIDNEXT 5] next", b"OK [UIDVALIDITY 1700000001] valid"]
    assert (status_number(lines, "UIDVALIDITY"), status_number(lines, "UIDNEXT")) == (1700000001, 5)
    assert status_number(lines, "HIGHESTMODSEQ") is None


def test_a_search_may_be_answered_in_several_lines() -> None:
    assert search_result([b"4 2", b"", b"9 2"]) == [2, 4, 9]


def test_messages_are_put_together_from_lines_and_literals() -> None:
    lines = [
        b'2 FETCH (UID 12 FLAGS (\\Seen $NotJunk) INTERNALDATE "30-Mar-2026 10:00:05 +0200" RFC822.SIZE 9 BODY[] {9}',
        bytearray(b"a: b\r\n\r\nx"),
        b")",
        b"1 FETCH (BODY[] {3}",
        bytearray(b"y)("),
        b' INTERNALDATE " 1-Jan-2026 00:00:00 -0030" FLAGS () UID 11 RFC822.SIZE 3)',
        b"7 EXPUNGE",
        b"5 FETCH (FLAGS (\\Seen))",
    ]
    assert messages(lines) == [
        Fetched(11, datetime(2026, 1, 1, 0, 30, tzinfo=UTC), frozenset(), b"y)(", 3),
        Fetched(12, datetime(2026, 3, 30, 8, 0, 5, tzinfo=UTC), frozenset({"\\Seen", "$NotJunk"}), b"a: b\r\n\r\nx", 9),
    ]


def test_a_part_of_a_large_message_keeps_the_size_of_the_whole() -> None:
    lines = [b"1 FETCH (UID 3 RFC822.SIZE 4000 BODY[]<0> {4}", bytearray(b"From"), b")"]
    assert messages(lines) == [Fetched(3, None, frozenset(), b"From", 4000)]


def test_a_short_message_may_come_as_a_quoted_string() -> None:
    assert messages([b'1 FETCH (UID 3 BODY[] "a \\"b\\" \\\\")'])[0].raw == b'a "b" \\'


@pytest.mark.parametrize(
    "date", ["30-Foo-2026 10:00:05 +0200", "99-Mar-2026 10:00:05 +0200", "31-Dec-9999 23:00:00 -2300", "nonsense"]
)
def test_an_absurd_date_is_none(date: str) -> None:
    line = f'1 FETCH (UID 3 INTERNALDATE "{date}" BODY[] ""'.encode()
    assert messages([line])[0].internal_date is None


def test_sizes_come_before_the_messages() -> None:
    assert sizes([b"1 FETCH (UID 5 RFC822.SIZE 100)", b"2 FETCH (RFC822.SIZE 7 UID 6)", b"3 FETCH (FLAGS ())"]) == {
        5: 100,
        6: 7,
    }


def test_the_uid_of_an_appended_mail() -> None:
    assert appended_uid(b"[APPENDUID 38505 3955] APPEND completed") == 3955
    assert appended_uid(b"APPEND completed") is None


def test_a_date_for_append() -> None:
    when = datetime(2026, 3, 1, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    assert internal_date(when) == '"28-Feb-2026 23:02:03 +0000"'


@given(
    st.lists(
        st.binary(max_size=60) | st.binary(max_size=20).map(bytearray) | st.just(b"1 FETCH (UID 3 BODY[] {3}"),
        max_size=8,
    )
)
def test_no_answer_makes_it_raise(lines: list[bytes | bytearray]) -> None:
    assert isinstance(messages(lines), list)
    assert isinstance(sizes(lines), dict)
    assert isinstance(search_result(lines), list)
