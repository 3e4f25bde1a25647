"""Whom a refusal blames."""

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.codes import Command, Reason, Scope, classify, is_permanent, is_transient

CASES = [
    line
    for line in Path(__file__).with_name("refusals.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_blames_the_right_one(case: str) -> None:
    command, code, enhanced, scope, reason, *text = case.split(maxsplit=5)
    verdict = classify(
        None if code == "-" else int(code),
        None if enhanced == "-" else enhanced,
        "".join(text),
        command=None if command == "-" else Command(command),
    )
    assert (verdict.scope, verdict.reason) == (Scope(scope), Reason(reason))


def test_one_recipients_rules_never_hold_the_mailbox() -> None:
    verdict = classify(550, "5.7.133", "RESOLVER.RST.SenderNotAuthenticatedForGroup", command=Command.RCPT)
    assert verdict.scope is Scope.MESSAGE


def test_the_first_digit_alone_says_whether_a_failure_is_transient() -> None:
    assert is_transient(421)
    assert not is_transient(550)
    assert is_permanent(554)
    assert not is_permanent(450)
    assert not is_permanent(250)


@given(
    st.none() | st.integers(400, 599),
    st.none() | st.from_regex(r"[245]\.\d{1,3}\.\d{1,3}", fullmatch=True),
    st.text(),
    st.none() | st.sampled_from(Command),
)
def test_every_refusal_has_a_verdict(
    code: int | None, enhanced: str | None, text: str, command: Command | None
) -> None:
    verdict = classify(code, enhanced, text, command=command)
    assert verdict.scope in Scope
    if command is Command.AUTH and code not in {530, 421}:
        assert verdict.reason is Reason.AUTHENTICATION


def test_a_long_hostile_text_is_cut_before_it_is_matched() -> None:
    text = "mailbox " * 100_000 + "spam"
    assert classify(554, None, text, command=Command.CONTENT).reason is Reason.OTHER


def test_the_last_rule_fits_everything_and_no_other_does() -> None:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "refusals.toml").read_text(encoding="utf-8"))["rule"]
    catch_all = [index for index, rule in enumerate(rules) if rule.keys() == {"scope", "reason"}]
    assert catch_all == [len(rules) - 1]
