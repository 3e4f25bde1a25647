"""Who answered, and for whom: the rules of the contract as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.config import Settings
from outrider.webhooks.correspondence import Reply, correspondence, forwarded_author
from outrider.webhooks.policy import Policy

POLICY = Policy.of(Settings())
OWN = {"jo@send.example"}


def answered(target: str, *authors: str, policy: Policy = POLICY) -> tuple[str, str]:
    found = correspondence(target, Reply(authors, None, (), ""), OWN, policy)
    assert found["targetLeadEmail"] == target
    return found["replyReceivedFrom"], found["repliedCompanyDomain"]


@pytest.mark.parametrize(
    ("target", "author", "relation"),
    [
        ("mira@tallowworks.example", "mira@tallowworks.example", "SameCompany"),
        ("mira@tallowworks.example", "Mira@tallowworks.example", "SameCompany"),
        ("mira@gmail.com", "mira@gmail.com", "SameCompany"),
        ("mira+crm@gmail.com", "mira@gmail.com", "SameCompany"),
        ("mira@gmail.com", "mira+x@gmail.com", "SameCompany"),
        ("mira@tallowworks.example", "sam@tallowworks.example", "SameCompany"),
        ("mira@acme.com", "sam@eu.acme.com", "SameCompany"),
        ("mira@acme.co.uk", "sam@other.co.uk", "DifferentCompany"),
        ("mira@acme.com", "sam@acme.de", "DifferentCompany"),
        ("mira@gmail.com", "sam@gmail.com", "DifferentCompany"),
        ("mira@yahoo.fr", "sam@yahoo.fr", "DifferentCompany"),
        ("mira@acme.com", "mira@gmail.com", "DifferentCompany"),
        ("mira@a.github.io", "sam@b.github.io", "DifferentCompany"),
        ("mira@xn--mller-kva.de", "sam@müller.de", "SameCompany"),
        ("mira@localhost", "sam@acme.com", "Unknown"),
        ("mira@acme.com", "sam@co.uk", "Unknown"),
        ("mira@acme.com", "sam@[192.0.2.1]", "Unknown"),
    ],
)
def test_relations(target: str, author: str, relation: str) -> None:
    assert answered(target, author) == (author, relation)


def test_a_company_may_have_several_domains_by_setting() -> None:
    policy = Policy.of(Settings(company_domains=(frozenset({"acme.com", "acme.de"}),)))
    assert answered("mira@acme.com", "sam@acme.de", policy=policy)[1] == "SameCompany"
    assert answered("mira@acme.com", "sam@acme.fr", policy=policy)[1] == "DifferentCompany"


def test_more_free_mail_by_setting() -> None:
    policy = Policy.of(Settings(free_mail_domains=("posthaus.de",)))
    assert answered("mira@posthaus.de", "sam@posthaus.de", policy=policy)[1] == "DifferentCompany"


TARGET = "mira@acme.com"
FORWARD = "FYI\n\n---------- Forwarded message ---------\nFrom: Kim Orr <Kim@ORR.example>\nDate: today\n\nYes"


@pytest.mark.parametrize(
    ("reply", "author"),
    [
        (Reply(("sam@acme.com",), "kim@orr.example", (), ""), "sam@acme.com"),
        (Reply((), "kim@orr.example", ("lee@orr.example",), ""), "kim@orr.example"),
        (Reply(("a@acme.com", "b@acme.com"), "kim@orr.example", (), ""), "kim@orr.example"),
        (Reply((), None, ("lee@orr.example",), ""), "lee@orr.example"),
        (Reply(("jo@send.example",), "kim@orr.example", (), FORWARD), "kim@orr.example"),
        (Reply(("JO@send.example",), "jo@send.example", ("lee@orr.example",), FORWARD), "lee@orr.example"),
        (Reply(("jo@send.example",), None, ("jo@send.example",), FORWARD), "Kim@orr.example"),
        (Reply((), None, (), FORWARD), None),
        (Reply(("jo@send.example",), None, (), "nothing"), None),
        (Reply((), None, (), ""), None),
    ],
)
def test_where_the_author_is_looked_for(reply: Reply, author: str | None) -> None:
    found = correspondence(TARGET, reply, OWN, POLICY)
    if author is None:
        assert (found["replyReceivedFrom"], found["repliedCompanyDomain"]) == (TARGET, "Unknown")
    else:
        assert found["replyReceivedFrom"] == author


@pytest.mark.parametrize(
    ("text", "author"),
    [
        (FORWARD, "Kim@orr.example"),
        ("Von: Kim <kim@orr.example>\nGesendet: heute", "kim@orr.example"),
        ("> *From:* kim@orr.example", "kim@orr.example"),
        ("De : kim@orr.example", "kim@orr.example"),
        ("From: nobody at all\nFrom: kim@orr.example", "kim@orr.example"),
        ("From: bad..address@-x-.example", None),
        ("He said: From here on kim@orr.example", None),
        ("\n" * 60 + "From: kim@orr.example", None),
        ("", None),
    ],
)
def test_the_author_of_a_forwarded_message(text: str, author: str | None) -> None:
    assert forwarded_author(text) == author


@given(st.text(), st.lists(st.text(), max_size=3), st.text() | st.none(), st.text())
def test_nothing_in_a_mail_raises(target: str, authors: list[str], sender: str | None, text: str) -> None:
    found = correspondence(target, Reply(tuple(authors), sender, (), text), OWN, POLICY)
    assert found["repliedCompanyDomain"] in {"SameCompany", "DifferentCompany", "Unknown"}
