"""Human or machine, rule by rule (outrider/tracking/rules/machines.toml)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from outrider.tracking.models import Hit, HitKind, Surroundings
from outrider.tracking.rules import NetworkKind, RulesError, load_rules
from outrider.tracking.verdict import find_bursts, judge

SENT = datetime(2026, 3, 2, 10, tzinfo=UTC)
RULES = load_rules()
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
HOME, OFFICE = "91.65.20.7", "212.18.3.9"
EXCHANGE, APPLE, AMAZON = "40.107.22.83", "104.28.30.1", "34.201.10.10"


def hit(seconds: float, kind: str = "OPEN", agent: str | None = CHROME, **changes: object) -> Hit:
    """A visit this long after the hand-over; links are named by a letter."""
    made = Hit(
        id=int(seconds * 1000),
        message_id=1,
        kind=HitKind(kind),
        url="https://c.example" if kind == "CLICK" else None,
        method="GET",
        address=HOME,
        user_agent=agent,
        is_own=False,
        verdict=None,
        reason=None,
        at=SENT + timedelta(seconds=seconds),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def click(seconds: float, link: str = "c", **changes: object) -> Hit:
    return hit(seconds, "CLICK", url=f"https://{link}.example", **changes)


def around(*hits: Hit) -> Surroundings:
    return Surroundings(
        handed_over_at=SENT,
        hits=hits,
        trapped={each.address for each in hits if each.kind is HitKind.TRAP},
        burst_ids=find_bursts(hits, RULES),
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        # people
        (hit(60), "BROWSER"),
        (hit(5), "BROWSER"),
        (click(5), "BROWSER"),
        (hit(60, agent=GMAIL), "DISPLAY_PROXY"),
        (hit(1, agent=GMAIL), "DISPLAY_PROXY"),  # fetched when it is shown, however soon
        (hit(1, agent=YAHOO), "DISPLAY_PROXY"),
        (click(60, agent=IPHONE, address=APPLE), "BROWSER"),  # Private Relay hides people who click
        (click(600, agent="Mozilla/5.0"), "BROWSER"),
        (hit(60, address="2001:db8::7"), "BROWSER"),
        (hit(60, address="no address"), "BROWSER"),
        (hit(60, address=None), "BROWSER"),
        # what it is
        (hit(60, is_own=True), "OWN_VIEW"),
        (click(60, is_own=True), "OWN_VIEW"),
        (hit(60, agent=GMAIL, is_own=True), "OWN_VIEW"),
        (hit(60, "TRAP"), "TRAP"),
        (click(600, method="HEAD"), "HEAD_REQUEST"),
        (hit(600, method="HEAD"), "HEAD_REQUEST"),
        (hit(600, agent=None), "NO_USER_AGENT"),
        (hit(600, agent=""), "NO_USER_AGENT"),
        (click(600, agent=None), "NO_USER_AGENT"),
        (hit(600, agent="Mozilla/5.0"), "APPLE_PREFETCH"),
        (hit(600, agent=IPHONE, address=APPLE), "APPLE_PREFETCH"),
        (hit(600, agent=IPHONE, address="17.58.0.1"), "APPLE_PREFETCH"),
        (hit(600, agent=IPHONE, address="2606:54c0::1"), "APPLE_PREFETCH"),
        (hit(1, agent="Mozilla/5.0"), "APPLE_PREFETCH"),  # kept apart from those that are only early
        (click(600, agent="Barracuda Sentinel (EE)"), "SCANNER"),
        (click(600, agent="Mozilla/5.0 (compatible; Proofpoint URL Defense)"), "SCANNER"),
        (click(600, agent="Mozilla/5.0 (X11; Linux) HeadlessChrome/120.0"), "SCANNER"),
        (click(600, agent="python-requests/2.32"), "SCANNER"),
        (click(600, agent="curl/8.5.0"), "SCANNER"),
        (hit(600, agent="Googlebot/2.1 (+http://www.google.com/bot.html)"), "SCANNER"),
        (hit(600, address=EXCHANGE), "GATEWAY"),
        (click(600, address=EXCHANGE), "GATEWAY"),
        (click(600, address="::ffff:40.107.22.83"), "GATEWAY"),
        (click(600, address="148.163.130.4"), "GATEWAY"),
        (hit(600, agent=GMAIL, address=EXCHANGE), "DISPLAY_PROXY"),
        # when it is
        (hit(4.999), "TOO_EARLY"),
        (click(4.999), "TOO_EARLY"),
        (click(-1), "TOO_EARLY"),  # while the server still answers
    ],
)
def test_a_visit_by_itself(given: Hit, reason: str) -> None:
    verdict = judge(given, around(given), RULES)
    assert verdict.reason == reason
    assert verdict.is_machine == (reason not in {"BROWSER", "DISPLAY_PROXY"})


@pytest.mark.parametrize(
    ("company", "given", "reason"),
    [
        # bursts: three different links within two seconds
        ([click(30, "a"), click(31, "b")], click(32, "c"), "BURST"),
        ([click(31, "b"), click(32, "c")], click(30, "a"), "BURST"),  # the first of them too
        ([click(30, "a"), click(32, "c")], click(31, "b"), "BURST"),
        ([click(30, "a"), click(31, "b", address=OFFICE)], click(32, "c"), "BURST"),  # scanners have many addresses
        ([click(30, "a"), click(31, "b")], click(32.1, "c"), "BROWSER"),
        ([click(30, "a"), click(31, "a")], click(32, "b"), "BROWSER"),  # twice the same link
        ([click(30, "a"), hit(31)], click(32, "b"), "BROWSER"),
        ([click(30, "a"), click(31, "b"), click(32, "c")], hit(31), "BROWSER"),  # an open is no link
        ([click(30, "a"), click(31, "b"), click(32, "c")], click(90, "a"), "BROWSER"),  # a person, later
        # the trap: every visit of that address to that mail
        ([hit(30, "TRAP", address=EXCHANGE)], click(30, "a"), "BROWSER"),
        ([hit(30, "TRAP")], click(29, "a"), "TRAP"),
        ([hit(30, "TRAP")], hit(600), "TRAP"),
        ([hit(30, "TRAP", address=OFFICE)], hit(600), "BROWSER"),
        # a click from a data centre without an open
        ([], click(90, address=AMAZON), "CLICK_WITHOUT_OPEN"),
        ([hit(31)], click(90, address=AMAZON), "BROWSER"),
        ([hit(29)], click(90, address=AMAZON), "CLICK_WITHOUT_OPEN"),  # more than a minute before
        ([hit(91)], click(90, address=AMAZON), "CLICK_WITHOUT_OPEN"),
        ([hit(40, agent="Mozilla/5.0")], click(90, address=AMAZON), "BROWSER"),  # any open
        ([click(90, "a", address=AMAZON)], click(91, "b", address=AMAZON), "CLICK_WITHOUT_OPEN"),
        ([], click(90), "BROWSER"),
        ([], hit(90, address=AMAZON), "BROWSER"),
    ],
)
def test_a_visit_in_its_company(company: list[Hit], given: Hit, reason: str) -> None:
    assert judge(given, around(*company, given), RULES).reason == reason


def test_the_shipped_networks_are_what_their_names_say() -> None:
    kinds = {network.kind for network in RULES.networks}
    assert kinds == set(NetworkKind)
    for network in RULES.networks:
        for each in network.ranges:
            assert RULES.network_of(str(each[0])) is not None, network.name
            assert RULES.network_of(str(each[-1])) is not None, network.name


def test_an_operator_adds_rules_of_his_own(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        """
        [thresholds]
        too_early = 10.0
        [agents]
        scanners = ['acme-?gate']
        [[networks]]
        name = "Our own gateway"
        kind = "gateway"
        source = "the firewall"
        ranges = ["91.65.0.0/16"]
        """
    )
    rules = load_rules(path)
    assert judge(hit(9, address=OFFICE), around(), rules).reason == "TOO_EARLY"
    assert judge(hit(60, address=OFFICE, agent="AcmeGate 2"), around(), rules).reason == "SCANNER"
    assert judge(hit(60), around(), rules).reason == "GATEWAY"
    assert judge(hit(60, address=EXCHANGE), around(), rules).reason == "GATEWAY"  # the shipped ones stay
    assert rules.burst_links == RULES.burst_links


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[networks]", "TOMLDecodeError"),
        ("[agents]\nscanners = ['(']", "PatternError|error"),
        ('[[networks]]\nname = "x"\nkind = "office"\nranges = []', "office"),
        ('[[networks]]\nname = "x"\nkind = "gateway"\nranges = ["10.0.0.1/8"]', "host bits"),
        ('[thresholds]\ntoo_early = "soon"', "TypeError"),
    ],
)
def test_rules_that_cannot_be_used_say_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(RulesError, match=words) as refused:
        load_rules(path)
    assert str(path) in str(refused.value)
