"""Spintax: `{a|b|c}` with nesting and empty options (product behaviour 3.4).

A group needs a bar; braces without one (style sheets) are just text. Which option is taken follows from a seed alone,
so a preview shows what is sent. Variables and Liquid inside an option are nodes like any other: a bar or brace in a
lead's value is never looked at.
"""

import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from math import prod
from typing import TypeAlias

from outrider.content.expression import Slot
from outrider.content.syntax import Kind, TemplateError, Token

MAX_GROUPS = 1_000
MAX_DEPTH = 20
_SEED_BYTES = 16
_NUMBERS = struct.Struct(">16I")  # in one digest of BLAKE2b


@dataclass(frozen=True, slots=True)
class Code:
    """Liquid: an output or a tag, complete with its braces."""

    source: str
    position: int


@dataclass(frozen=True, slots=True)
class Spin:
    """A group of options; `index` numbers the groups of a text."""

    index: int
    options: tuple["Nodes", ...]
    position: int


Node: TypeAlias = str | Slot | Code | Spin
Nodes: TypeAlias = tuple[Node, ...]
_LOST_BRACE = re.compile(r"[\w .-]{1,60}")


@dataclass(slots=True)
class _Group:
    """A brace that is open, or (the first one) the whole text."""

    position: int
    options: list[list[Node]] = field(default_factory=lambda: [[]])
    is_doubled: bool = False  # another brace follows at once

    def add(self, nodes: Iterable[Node]) -> None:
        self.options[-1].extend(nodes)


class _Parser:
    def __init__(self, text: str, read: Callable[[Token], Node]) -> None:
        self._text = text
        self._read = read
        self._groups = [_Group(-1)]
        self._option_counts: list[int] = []

    def parse(self, tokens: Iterable[Token]) -> tuple[Nodes, tuple[int, ...]]:
        for token in tokens:
            match token.kind:
                case Kind.OPEN:
                    self._open(token)
                case Kind.BAR if len(self._groups) > 1:
                    self._groups[-1].options.append([])
                case Kind.CLOSE if len(self._groups) > 1:
                    self._close(token)
                case Kind.TEXT | Kind.BAR | Kind.CLOSE:
                    self._groups[-1].add((token.text,))
                case _:
                    self._groups[-1].add((self._read(token),))
        while len(self._groups) > 1:
            self._leave_open()
        return _join(self._groups[0].options[0]), tuple(self._option_counts)

    def _open(self, token: Token) -> None:
        if len(self._groups) > MAX_DEPTH:
            raise self._error(f"braces are nested more than {MAX_DEPTH} deep; simplify the text.", token.position)
        parent = self._groups[-1]
        parent.is_doubled = parent.is_doubled or (parent.position >= 0 and parent.position + 1 == token.position)
        self._groups.append(_Group(token.position))

    def _close(self, token: Token) -> None:
        group = self._groups.pop()
        if len(group.options) == 1:
            self._refuse_lost_braces(group, token.position)
            self._groups[-1].add(("{", *group.options[0], "}"))
            return
        if len(self._option_counts) == MAX_GROUPS:
            raise self._error(f"there are more than {MAX_GROUPS} spintax groups; shorten the text.", group.position)
        spin = Spin(len(self._option_counts), tuple(map(_join, group.options)), group.position)
        self._option_counts.append(len(spin.options))
        self._groups[-1].add((spin,))

    def _leave_open(self) -> None:
        group = self._groups.pop()
        if len(group.options) > 1:
            raise self._error('this "{" opens spintax that never ends; close it with "}".', group.position)
        self._refuse_lost_braces(group, None)
        self._groups[-1].add(("{", *group.options[0]))

    def _refuse_lost_braces(self, group: _Group, end: int | None) -> None:
        """`{{first_name}` and `{first_name}}` would be sent as they are."""
        start = group.position
        if group.is_doubled:
            raise self._error('"{{" is never closed; write it like {{first_name}}.', start)
        if end is None or len(self._groups) > 1 or not self._text.startswith("}}", end):
            return
        if _LOST_BRACE.fullmatch(self._text[start + 1 : end]):
            raise self._error('one "{" is missing; write it like {{first_name}}.', start)

    def _error(self, message: str, position: int) -> TemplateError:
        return TemplateError(message, text=self._text, position=position)


def parse(text: str, tokens: Iterable[Token], read: Callable[[Token], Node]) -> tuple[Nodes, tuple[int, ...]]:
    """The tree of a text and the number of options of each group, by index. `read` makes nodes of what is no text."""
    return _Parser(text, read).parse(tokens)


def _join(nodes: Iterable[Node]) -> Nodes:
    """Neighbouring pieces of text become one."""
    joined: list[Node] = []
    pieces: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            pieces.append(node)
            continue
        if pieces:
            joined.append("".join(pieces))
            pieces.clear()
        joined.append(node)
    if pieces:
        joined.append("".join(pieces))
    return tuple(node for node in joined if node != "")


def count(nodes: Nodes) -> int:
    """How many different choices there are."""
    return prod(sum(map(count, node.options)) for node in nodes if isinstance(node, Spin))


def choose(option_counts: tuple[int, ...], seed: int | bytes, *, purpose: bytes) -> tuple[int, ...]:
    """The option to take of each group. Independent of what is written further down."""
    if not option_counts:
        return ()
    if isinstance(seed, int):
        seed = (seed % (1 << 8 * _SEED_BYTES)).to_bytes(_SEED_BYTES, "big")
    numbers = _NUMBERS.unpack(blake2b(seed, person=purpose).digest())
    for block in range(1, -(-len(option_counts) // len(numbers))):
        numbers += _NUMBERS.unpack(blake2b(seed, person=purpose, salt=block.to_bytes(2, "big")).digest())
    return tuple([number % options for number, options in zip(numbers, option_counts, strict=False)])
