"""A text cut into tokens: what is Liquid, what may be spintax, what is a sender token, what is plain (product behaviour
2.4, 3.3, 3.4). Every pass is linear in the length of the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

from outrider.content.variables import SENDER_FIELDS

MAX_LENGTH = 256_000
_EXCERPT = 40


class TemplateError(Exception):
    """A text that cannot be used. The message says where and what to do; `position` and `line` are for editors."""

    def __init__(self, message: str, *, text: str = "", position: int | None = None) -> None:
        self.position = position
        self.line = None if position is None else text.count("\n", 0, position) + 1
        if position is not None:
            excerpt = " ".join(text[position : position + _EXCERPT].split())
            message = f'Line {self.line}, at "{excerpt}": {message}'
        super().__init__(message)


class Kind(Enum):
    TEXT = auto()
    OPEN = auto()
    BAR = auto()
    CLOSE = auto()
    OUTPUT = auto()  # {{ … }}
    TAG = auto()  # {% … %}
    SENDER = auto()  # %sender-name%


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str  # of outputs, tags and sender tokens what is inside
    position: int


_SENDER = "|".join(sorted(SENDER_FIELDS))
# Loops are unrolled, so that each character is tried once: a possessive group loses its way before Python 3.11.5
# (gh-106052).
_QUOTED = r'"[^"}]*+(?:\}(?!\})[^"}]*+)*"' + r"|'[^'}]*+(?:\}(?!\})[^'}]*+)*'"
_TOKEN = re.compile(
    # `{%signature%|…}` is spintax around a sender token, not a tag.
    rf"\{{%(?!(?:{_SENDER})%)(?P<tag>[^%]*+(?:%(?!\}})[^%]*+)*)%\}}"
    rf"|\{{\{{(?P<output>[^{{}}\"']*+(?:(?:{_QUOTED})[^{{}}\"']*+)*)\}}\}}"
    r"|\{\{(?P<output_with_lone_quote>[^{}]*+)\}\}"
    rf"|%(?P<sender>{_SENDER})%"
    r"|(?P<style></?style\b)"
    r"|(?P<brace>[{}|])",
    re.IGNORECASE,
)
_BRACES = {"{": Kind.OPEN, "|": Kind.BAR, "}": Kind.CLOSE}
BLOCK_TAGS = frozenset({"if", "unless", "case", "for", "capture", "ifchanged"})
_TAG_NAME = re.compile(r"#|\w+")
_SKIPPED = {name: re.compile(rf"\{{%-?\s*end{name}\s*-?%\}}") for name in ("raw", "comment")}


def scan(text: str, *, html: bool) -> list[Token]:
    """The tokens of a text, in order. Raises TemplateError."""
    if len(text) > MAX_LENGTH:
        raise TemplateError(f"The text is longer than {MAX_LENGTH:,} characters; shorten it.")
    return list(_trim(_scan(text, html=html)))


def _scan(text: str, *, html: bool) -> Iterator[Token]:
    position = 0
    in_style = False
    while match := _TOKEN.search(text, position):
        start = match.start()
        if start > position:
            yield Token(Kind.TEXT, text[position:start], position)
        position = match.end()
        if match["style"]:
            in_style = html and match["style"][1] != "/"
            yield Token(Kind.TEXT, match["style"], start)
        elif match["brace"]:
            yield _read_brace(text, start, in_style=in_style)
        elif match["sender"]:
            yield Token(Kind.SENDER, match["sender"].lower(), start)
        elif match["tag"] is None:
            yield Token(Kind.OUTPUT, match["output"] or match["output_with_lone_quote"] or "", start)
        elif (name := tag_name(match["tag"])) in _SKIPPED:
            position, token = _skip(text, match, name)
            yield token
        else:
            yield Token(Kind.TAG, match["tag"], start)
    if position < len(text):
        yield Token(Kind.TEXT, text[position:], position)


def refuse_lone_tags(tokens: list[Token], text: str) -> None:
    """Each tag that opens a block needs its end, and the other way round."""
    opened: list[tuple[str, Token]] = []
    for token in tokens:
        name = tag_name(token.text) if token.kind is Kind.TAG else ""
        if name in BLOCK_TAGS:
            opened.append((name, token))
        elif name.startswith("end"):
            if not opened or name != f"end{opened[-1][0]}":
                message = f'the tag "{name}" closes nothing here; remove it or move it.'
                raise TemplateError(message, text=text, position=token.position)
            opened.pop()
    if opened:
        name, token = opened[-1]
        message = f'the tag "{name}" is never closed; add "{{% end{name} %}}".'
        raise TemplateError(message, text=text, position=token.position)


def tag_name(tag: str) -> str:
    match = _TAG_NAME.search(tag)
    return match[0] if match else ""


def _read_brace(text: str, position: int, *, in_style: bool) -> Token:
    """A brace or bar; in a style sheet they are just characters."""
    character = text[position]
    if text.startswith("{%", position) and not _TOKEN.match(text, position + 1):
        raise TemplateError('"{%" is never closed; end the tag with "%}".', text=text, position=position)
    return Token(Kind.TEXT if in_style else _BRACES[character], character, position)


def _skip(text: str, match: re.Match[str], name: str) -> tuple[int, Token]:
    """What is between raw and endraw is plain text; what is in a comment is nothing."""
    end = _SKIPPED[name].search(text, match.end())
    if end is None:
        message = f'The tag "{name}" is never closed; add "{{% end{name} %}}".'
        raise TemplateError(message, text=text, position=match.start())
    inside = text[match.end() : end.start()] if name == "raw" else ""
    return end.end(), Token(Kind.TEXT, inside, match.end())


def _trim(tokens: Iterator[Token]) -> Iterator[Token]:
    """Carry out `{%- -%}` and `{{- -}}`: white space on the side of the dash goes."""
    waiting: Token | None = None
    is_cut = False
    for token in tokens:
        if token.kind not in (Kind.OUTPUT, Kind.TAG):
            current = replace(token, text=token.text.lstrip()) if is_cut and token.kind is Kind.TEXT else token
            is_cut = is_cut and token.kind is Kind.TEXT and not current.text
            starts_with_dash = False
        else:
            starts_with_dash, is_cut = token.text.startswith("-"), token.text.endswith("-")
            current = replace(token, text=token.text[starts_with_dash : len(token.text) - is_cut])
        if waiting is not None:
            cut = starts_with_dash and waiting.kind is Kind.TEXT
            yield replace(waiting, text=waiting.text.rstrip()) if cut else waiting
        waiting = current
    if waiting is not None:
        yield waiting
