"""The new text of a reply: without what it quotes and without the signature. Linear in the length of the text.

How programs mark quotes is data: `rules/quotes.toml`. When in doubt, text is kept.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from outrider.mail.parse import Incoming
from outrider.mail.text import html_to_text, node_text, parse_html

MAX_TEXT = 200_000  # characters; nobody writes more by hand
MAX_LINES = 5_000
MAX_MATCHED = 500  # characters of a line the patterns see
ATTRIBUTION_LINES = 3  # programs that wrap lines break "On … wrote:" twice at most
HEADER_BLOCK_LINES = 9
HEADER_BLOCK_LABELS = 2  # besides From

_QUOTED_LINE = re.compile(r"[ \t]{0,3}>")
_ONLY_MARKS = re.compile(r"[\s_\-=*#~]*")
_COLONS = (":", "：")
_DIGIT_OR_AT = re.compile(r"[\d@]")
_BLANK_LINES = re.compile(r"\n{3,}")


def new_text(incoming: Incoming) -> str:
    """The new text of a received mail, from whichever form it has."""
    return new_text_of(incoming.text, incoming.html)


def new_text_of(text: str | None, html: str | None) -> str:
    """The same of a mail that was kept; plain text is nearer to what was typed."""
    return visible_text(text) if text and text.strip() else visible_html_text(html or "")


def visible_text(text: str) -> str:
    """The new text of a plain-text reply with a line end, "" if there is none (contract: webhooks, EMAIL_REPLY)."""
    lines = text[:MAX_TEXT].replace("\r\n", "\n").replace("\xa0", " ").split("\n")[:MAX_LINES]
    lines = _without_signature(_without_quotes([line.rstrip() for line in lines]))
    visible = _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
    return f"{visible}\n" if visible else ""


def visible_html_text(html: str) -> str:
    """The new text of an HTML reply."""
    document = parse_html(html)
    if document is None or document.root is None:
        return visible_text(html_to_text(html))
    rules = _rules()
    ends = {node.mem_id for selector in rules.html_ends for node in document.css(selector)}
    left_out = {node.mem_id for selector in rules.html_left_out for node in document.css(selector)}
    visible = visible_text(node_text(document.root, without=left_out, until=ends))
    # Some answer inside the quote, and leave nothing outside of it.
    return visible or visible_text(node_text(document.root))


def _without_quotes(lines: list[str]) -> list[str]:
    attributions = _attributions(lines)
    kept: list[str] = []
    index = 0
    while index < len(lines):
        if _rules().separator.match(lines[index][:MAX_MATCHED].strip()) or _is_header_block(lines, index):
            return _without_final_rule(kept)
        length = attributions.get(index, 0)
        if length and not _is_marked_quote(lines, index + length):
            return kept
        if not length and not _QUOTED_LINE.match(lines[index]):
            kept.append(lines[index])
        index += length or 1
    return kept


def _attributions(lines: list[str]) -> dict[int, int]:
    """Where an "On …, … wrote:" begins, and how many lines it has."""
    found: dict[int, int] = {}
    for end, line in enumerate(lines):
        if not line.endswith(_COLONS):
            continue
        for length in range(1, min(ATTRIBUTION_LINES, end + 1) + 1):  # the shortest: text may stand right above
            if _is_attribution(lines[end + 1 - length : end + 1]):
                found[end + 1 - length] = length
                break
    return found


def _is_attribution(lines: list[str]) -> bool:
    joined = " ".join(line.strip() for line in lines)
    if not all(lines) or len(joined) > MAX_MATCHED or not _DIGIT_OR_AT.search(joined):
        return False
    return any(pattern.match(joined) for pattern in _rules().attributions)


def _is_marked_quote(lines: list[str], index: int) -> bool:
    """Whether the quote that begins there has its lines marked with `>`, so that answers may stand between them."""
    following = next((line for line in lines[index:] if line), "")
    return _QUOTED_LINE.match(following) is not None


def _is_header_block(lines: list[str], index: int) -> bool:
    rules = _rules()
    if not rules.header_from.match(lines[index]):
        return False
    following = lines[index + 1 : index + HEADER_BLOCK_LINES]
    return sum(1 for line in following if rules.header_other.match(line)) >= HEADER_BLOCK_LABELS


def _without_final_rule(lines: list[str]) -> list[str]:
    """Without the line that programs draw above the quoted message."""
    while lines and _ONLY_MARKS.fullmatch(lines[-1]):
        lines.pop()
    return lines


def _without_signature(lines: list[str]) -> list[str]:
    has_text = False
    for index, line in enumerate(lines):
        # A disclaimer at the top is a banner; cut there, nothing would be left.
        if _rules().signature.match(line[:MAX_MATCHED]) and (has_text or not any(lines[index + 1 :])):
            return lines[:index]
        has_text = has_text or bool(line)
    return lines


@dataclass(frozen=True, slots=True)
class _Rules:
    attributions: tuple[re.Pattern[str], ...]
    separator: re.Pattern[str]
    signature: re.Pattern[str]
    header_from: re.Pattern[str]
    header_other: re.Pattern[str]
    html_ends: tuple[str, ...]
    html_left_out: tuple[str, ...]


@cache
def _rules() -> _Rules:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "quotes.toml").read_text(encoding="utf-8"))
    return _Rules(
        attributions=tuple(re.compile(pattern, re.IGNORECASE) for pattern in rules["attribution"]["patterns"]),
        separator=_any_of(rules["separator"]["patterns"]),
        signature=_any_of(rules["signature"]["patterns"]),
        header_from=_label(rules["header"]["from"]),
        header_other=_label(rules["header"]["others"]),
        html_ends=tuple(rules["html"]["ends"]),
        html_left_out=(*rules["html"]["quotes"], *rules["html"]["signatures"]),
    )


def _any_of(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _label(words: list[str]) -> re.Pattern[str]:
    """`From: `, perhaps bold in the plain-text form: `*From:* `."""
    alternatives = "|".join(map(re.escape, words))
    return re.compile(rf"\s{{0,4}}\*?(?:{alternatives})\*?\s?[:：]\*?\s{{0,4}}\S", re.IGNORECASE)
