"""Colours can be told apart (WCAG 2, relative luminance), and pages bring nothing from elsewhere."""

import re
from collections.abc import Mapping
from importlib.resources import files

import pytest

from outrider.web.shell import FILES
from tests.web.conftest import Browser

_COLOUR = re.compile(r"--([a-z0-9-]+): (#[0-9A-F]{6});")
_TEXT = ["ink", "ink-2", "ink-3", "accent", "accent-hover"]
_GROUNDS = ["canvas", "surface", "sunken", "accent-tint"]
_TONES = ["go", "wait", "stop", "info", "neut"]
_EDGES = ["edge", "focus"]


def themes() -> dict[str, dict[str, str]]:
    light, dark = FILES["tokens.css"].decode().split("prefers-color-scheme: dark")
    of_light = dict(_COLOUR.findall(light))
    return {"light": of_light, "dark": {**of_light, **dict(_COLOUR.findall(dark))}}


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_and_edges_can_be_seen(name: str) -> None:
    tokens: Mapping[str, str] = themes()[name]
    text = [(front, ground) for front in _TEXT for ground in _GROUNDS]
    text += [(tone, ground) for tone in _TONES for ground in (*_GROUNDS, f"{tone}-tint")]
    text += [("on-accent", "accent"), ("on-accent", "accent-hover"), ("paper-ink", "paper")]
    weak = {pair for pair in text if contrast(*(tokens[part] for part in pair)) < 4.5}
    edges = [(edge, ground) for edge in _EDGES for ground in _GROUNDS]
    weak |= {pair for pair in edges if contrast(*(tokens[part] for part in pair)) < 3}
    assert not weak


def test_colours_stand_in_one_file_only() -> None:
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", FILES["app.css"].decode())
    used = set(re.findall(r"var\(--([a-z0-9-]+)\)", FILES["app.css"].decode()))
    known = set(re.findall(r"--([a-z0-9-]+):", FILES["tokens.css"].decode()))
    assert not used - known


def test_templates_hold_no_script_no_style_and_no_address_of_others() -> None:
    for template in (files("outrider.web") / "templates").iterdir():
        text = template.read_text("utf-8")
        assert not re.search(r"<script|\son[a-z]+=|\sstyle=|(?:src|href)=\"(?:https?:)?//", text), template.name
        assert ("<style" in text) is (template.name == "mail.html")  # a document of its own, with its own policy


async def test_files_are_kept_by_browsers_and_found_by_the_pages(visitor: Browser) -> None:
    page = await visitor.page("/app/log-in")
    addresses = re.findall(r'href="(/app/static/[^"]+)"', page)
    assert len(addresses) == len(FILES)
    for address in addresses:
        answer = await visitor.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].partition(";")[0] in {"text/css", "image/svg+xml"}
    assert (await visitor.get("/app/static/../shell.py")).status_code == 404
    assert (await visitor.get("/app/static/nothing.css")).status_code == 404
