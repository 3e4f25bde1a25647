"""A step's subject or body: compiled once, filled for each lead (product behaviour 3).

Order: Liquid and variables are set apart, spintax is chosen, then values go in. So a bar or brace in a value is never
spintax, and a value's HTML is never HTML.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from outrider.content import spintax
from outrider.content.expression import (
    HELPERS,
    ExpressionError,
    Slot,
    clean_source,
    read_output,
    slot,
)
from outrider.content.filling import EMPTY, Choice, Filling, Parts, Script, settle
from outrider.content.html import as_html
from outrider.content.liquid import MAX_OUTPUT, TAGS, Liquid, environment, has_liquid
from outrider.content.spintax import Code, Node, Nodes
from outrider.content.syntax import Kind, TemplateError, Token, refuse_lone_tags, scan, tag_name
from outrider.content.variables import UNSUBSCRIBE_TEXT, Values, fold, is_sender_field

_MAX_EXPRESSIONS = 2_000
_LOCAL_NAME = re.compile(r"\s*(?:assign|capture|for|increment|decrement)\s+[\"']?([\w-]+)")
_BUILT_IN = frozenset({*HELPERS, "now", "today"})


@dataclass(frozen=True, slots=True)
class Template:
    """A text that is ready to be filled."""

    html: bool
    combinations: int
    slots: tuple[Slot, ...]
    _option_counts: tuple[int, ...]
    _script: Script
    _liquid: Liquid | None

    def render(self, values: Mapping[str, object], *, seed: int | bytes, now: datetime, zone: ZoneInfo) -> str:
        """The text for one lead. The same seed makes the same choices. Raises TemplateError."""
        filling = self.begin(values, seed=seed, now=now, zone=zone)
        return self.write(filling, self.find_script(filling))

    def begin(self, values: Mapping[str, object], *, seed: int | bytes, now: datetime, zone: ZoneInfo) -> Filling:
        """The first half: choices are made, values looked up."""
        filling = Filling(
            values if isinstance(values, Values) else Values(values),
            self.choices(seed),
            now=now,
            zone=zone,
            html=self.html,
        )
        filling.fill(self.slots)
        return filling

    def find_script(self, filling: Filling) -> Script | None:
        """The way of this mail through the text; None if only Liquid knows. Raises TemplateError."""
        return self._liquid.find_script(filling) if self._liquid else self._script

    def write(self, filling: Filling, script: Script | None) -> str:
        """The second half."""
        if script:
            out: list[str] = []
            filling.write(script.parts, out)
            text = "".join(out)
            if self._liquid and len(text) > MAX_OUTPUT:
                raise TemplateError("This text becomes too long; shorten its loops.")
        else:
            text = self._liquid.render(filling) if self._liquid else ""
        text = settle(text)
        return text if self.html else " ".join(text.split())

    def choices(self, seed: int | bytes) -> tuple[int, ...]:
        """The option taken of each spintax group. Subject and body of a mail choose apart."""
        return spintax.choose(self._option_counts, seed, purpose=b"body" if self.html else b"subject")

    def variables(self) -> frozenset[str]:
        """The names of a lead's fields that are used, as they are written; not helpers, not the sender's tokens."""
        names = {slot.name for slot in self.slots if slot.helper is None}
        if self._liquid:
            names |= self._liquid.uses.names
        return frozenset(name for name in names if name not in _BUILT_IN and not is_sender_field(name))

    def needed(self) -> frozenset[str]:
        """The names that leave a gap without a value: no fallback, no condition that asks for them."""
        needed = {slot.name for slot in self.slots if slot.helper is None and not slot.default}
        if self._liquid:
            tested = self._liquid.uses.names - self._liquid.uses.needed
            needed = (needed - tested) | self._liquid.uses.needed
        return self.variables() & needed

    def unresolved(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """Those of them that have none."""
        known = values if isinstance(values, Values) else Values(values)
        return tuple(sorted(name for name in self.needed() if known.find(name, fold(name)) is None))

    @property
    def has_unsubscribe_text(self) -> bool:
        """Whether the author said where the unsubscribe text goes; else it goes to the end."""
        return any(slot.folded == fold(UNSUBSCRIBE_TEXT) for slot in self.slots)


def compile_subject(text: str) -> Template:
    """A subject: one line of plain text."""
    return compile_template(text, html=False)


def compile_body(text: str) -> Template:
    """A body as the API takes it: HTML, lines, or both. Renders to HTML."""
    return compile_template(as_html(text), html=True)


def compile_template(text: str, *, html: bool) -> Template:
    """Parse a text. Raises TemplateError with what to do about it."""
    return _Compiler(text.replace("\0", ""), html=html).compile()


class _Compiler:
    def __init__(self, text: str, *, html: bool) -> None:
        self._text = text
        self._html = html
        self._filters: Collection[str] = environment(html=html).filters
        self._local_names: frozenset[str] = frozenset()
        self._slots: dict[Slot, int] = {}

    def compile(self) -> Template:
        tokens = [self._clean(token) for token in scan(self._text, html=self._html)]
        refuse_lone_tags(tokens, self._text)
        self._local_names = frozenset(
            match[1] for token in tokens if token.kind is Kind.TAG and (match := _LOCAL_NAME.match(token.text))
        ) | {"forloop"}
        if sum(token.kind in (Kind.OUTPUT, Kind.TAG) for token in tokens) > _MAX_EXPRESSIONS:
            raise TemplateError(f"The text has more than {_MAX_EXPRESSIONS:,} variables and tags; shorten it.")
        nodes, option_counts = spintax.parse(self._text, tokens, self._read)
        liquid: Liquid | None = None
        parts: Parts = ()
        if any(map(has_liquid, nodes)):
            liquid = Liquid(nodes, text=self._text, html=self._html, to_parts=self._to_parts)
        else:
            parts = self._to_parts(nodes)
        return Template(self._html, spintax.count(nodes), tuple(self._slots), option_counts, Script(parts), liquid)

    def _clean(self, token: Token) -> Token:
        if token.kind is not Kind.TAG:
            return token
        return replace(token, text=clean_source(token.text, html=self._html, is_tag=True))

    def _read(self, token: Token) -> Node:
        if token.kind is Kind.SENDER:
            return slot(token.text)
        if token.kind is Kind.TAG:
            return self._read_tag(token)
        try:
            read = read_output(token.text, local_names=self._local_names, filters=self._filters, html=self._html)
        except ExpressionError as error:
            raise self._error(str(error), token) from error
        return read if isinstance(read, Slot) else Code(f"{{{{ {read} }}}}", token.position)

    def _read_tag(self, token: Token) -> Code:
        name = tag_name(token.text)
        if name not in TAGS:
            raise self._error(f'the tag "{name}" does not exist here; there are if, unless, case, for, assign.', token)
        return Code(f"{{% {token.text} %}}", token.position)

    def _to_parts(self, nodes: Nodes) -> Parts:
        return tuple(map(self._to_part, nodes))

    def _to_part(self, node: Node) -> str | int | Choice:
        match node:
            case str():
                return node
            case Slot():
                return self._slots.setdefault(node, len(self._slots))
            case spintax.Spin():
                return Choice(node.index, tuple(map(self._to_option, node.options)))
            case Code():
                raise AssertionError(node)

    def _to_option(self, nodes: Nodes) -> str | Parts:
        parts = self._to_parts(nodes) or (EMPTY,)
        return parts[0] if len(parts) == 1 and isinstance(parts[0], str) else parts

    def _error(self, message: str, token: Token) -> TemplateError:
        return TemplateError(message, text=self._text, position=token.position)
