"""Patterns are looked for only where their words occur, and found as one pattern with all of them would find them."""

import re
import tomllib
from importlib.resources import files
from random import Random

import pytest

from outrider.mail.patterns import AnyOf, literals_of


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("out of office", {"out of office"}),
        (r"\bremove (?:me|us)\b", {"remove "}),
        ("(?:please )?unsubscribe", {"unsubscribe"}),
        ("(?:vacation|holiday)s?", {"vacation", "holiday"}),
        ("(?:vacation|at) x", set()),  # " x" is too short, and so is one of the two
        (r"\w+ing", {"ing"}),
        ("[ao]way", {"way"}),
        ("(?:away){0,2}", set()),
        ("(?:away){1,2}", {"away"}),
        (r"\d+", set()),
        ("STRASSE", {"strasse"}),
    ],
)
def test_what_a_pattern_cannot_do_without(pattern: str, literals: set[str]) -> None:
    assert literals_of(pattern) == literals


def _rules() -> list[tuple[str, list[str], re.RegexFlag]]:
    folder = files("outrider.mail") / "rules"
    replies = tomllib.loads((folder / "autoreplies.toml").read_text(encoding="utf-8"))
    opt_outs = tomllib.loads((folder / "opt_outs.toml").read_text(encoding="utf-8"))
    bodies = [(f"{name} body", rules["body"], re.IGNORECASE) for name, rules in replies.items() if "body" in rules]
    return [*bodies, ("opt-outs", [*opt_outs["sentence"], *opt_outs["objection"]], re.MULTILINE)]


@pytest.mark.parametrize(
    ("name", "patterns", "flags"), _rules(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_rules_find_what_they_would_find_together(name: str, patterns: list[str], flags: re.RegexFlag) -> None:
    together, apart = re.compile("|".join(patterns), flags), AnyOf(patterns, flags)
    random = Random(name)  # noqa: S311 - words, not secrets
    found = 0
    for _ in range(300):
        text = " ".join(_spelled(random.choice(patterns), random) for _ in range(3))
        spans = [match.span() for match in together.finditer(text)]
        assert [match.span() for match in apart.finditer(text)] == spans, text
        first = apart.search(text)
        assert (first and first.span()) == (spans[0] if spans else None)
        found += bool(spans)
    assert found > 20


def _spelled(pattern: str, random: Random) -> str:
    """Something like what the pattern is after."""
    text = re.sub(r"\(\?[:!<=]+", "(", pattern)
    text = re.sub(r"\\b|\^|\$|\\s\*|\.\{\d+,\d+\}", "", text)
    text = re.sub(r"\\w[+*]|\\d\S*", "ab", text).replace("\\", "").replace(".", "'")
    while found := re.search(r"\(([^()]*)\)\??", text):
        text = text.replace(found[0], random.choice(found[1].split("|")), 1)
    text = re.sub(r"\[([^\]])[^\]]*\]", r"\1", text).replace("?", "")
    return random.choice((text, text.upper(), text.title()))
