"""Message-IDs as they are made and as other programs write them."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.message_id import MAX_REFERENCES, bracketed, canonical, make_message_id, parse_references


def test_our_message_id_is_the_statistics_id_at_the_domain_of_the_mailbox() -> None:
    stats_id = uuid.UUID("0198a1b2-0000-7000-8000-000000000001")
    message_id = make_message_id(stats_id, "acme.example")
    assert message_id == "0198a1b2-0000-7000-8000-000000000001@acme.example"
    assert bracketed(message_id) == f"<{message_id}>"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("<a@b>", "a@b"),
        ("  <a@b>\r\n", "a@b"),
        ("a@b", "a@b"),
        ("<no-at-sign>", "no-at-sign"),
        ('Message of "Nora" <a@b>', "a@b"),
        ("<very-long-\r\n identifier@b>", "very-long-identifier@b"),
        ("<ümläut@b>", None),
        ("<>", None),
        ("hello", None),
        ("", None),
    ],
)
def test_a_message_id_is_read_however_it_is_written(header: str, expected: str | None) -> None:
    assert canonical(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("<a@b> <c@d>", ("a@b", "c@d")),
        ("<a@b>\r\n\t<c@d>,<e@f>", ("a@b", "c@d", "e@f")),
        ("<a@b><c@d>", ("a@b", "c@d")),
        ("<a@b> <c@d> <a@b>", ("a@b", "c@d")),
        ("a@b c@d", ("a@b", "c@d")),
        ("<broken <a@b>", ("a@b",)),
    ],
)
def test_references_are_read_in_order_and_each_once(header: str, expected: tuple[str, ...]) -> None:
    assert parse_references(header) == expected


def test_an_endless_list_keeps_its_beginning_and_its_end() -> None:
    found = parse_references(" ".join(f"<{number}@x>" for number in range(5000)))
    assert len(found) == MAX_REFERENCES
    assert found[0] == "0@x"
    assert found[-1] == "4999@x"
    assert found[1] == f"{5001 - MAX_REFERENCES}@x"


@given(st.text())
def test_no_text_breaks_the_parser_and_what_is_found_can_be_written_again(header: str) -> None:
    found = parse_references(header)
    assert parse_references(" ".join(map(bracketed, found))) == found
