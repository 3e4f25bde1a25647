"""Liquid, for what we do not fill ourselves: tags, filters, comparisons (product behaviour 3.3).

A text becomes one template of python-liquid, made of its tags and outputs; what lies between them, spintax included,
are pieces that our own filling writes. There are no includes, and loops, output, depth and time are bounded.

Most conditions ask for few things: a role, a country. What Liquid made of the same answers is remembered, as the parts
in which a mail is written, so that most mails are filled without it.
"""

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from itertools import groupby
from typing import Any, TextIO

from liquid import Environment, Expression, RenderContext, Tag, TokenStream
from liquid import Node as LiquidNode
from liquid.ast import BlockNode
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.if_tag import IfNode, IfTag
from liquid.exceptions import LiquidError, LiquidSyntaxError, LoopIterationLimitError, ResourceLimitError
from liquid.output import LimitedStringIO
from liquid.parser import get_parser
from liquid.template import BoundTemplate
from liquid.token import TOKEN_EXPRESSION, TOKEN_TAG, Token

from outrider.content import filters
from outrider.content.expression import HELPERS, Slot
from outrider.content.filling import EMPTY, Choice, Filling, Parts, Script
from outrider.content.inspection import MAX_ITERATIONS, Uses, fixed_names, inspect, outputs
from outrider.content.spintax import Code, Node, Nodes, Spin
from outrider.content.syntax import BLOCK_TAGS, TemplateError
from outrider.content.variables import as_text, fold

MAX_OUTPUT = 512_000
TIME_LIMIT_SECONDS = 0.05
_STEPS_BETWEEN_LOOKS = 64
_MOST_SCRIPTS = 64
_MOST_PIECES = 200
_MOST_TEXTS = 512
_ATTEMPTS = 2  # the interpreter may have been busy with something else; a text that is really slow is slow again

TAGS = frozenset(
    {*BLOCK_TAGS, *(f"end{name}" for name in BLOCK_TAGS)}
    | {"elsif", "else", "when", "break", "continue", "assign", "increment", "decrement", "cycle", "#"}
)
_UNAVAILABLE = ("include", "render", "liquid", "echo", "doc", "tablerow", "comment")
_CROSSED = re.compile(r"(?:un)?expected tag")
_PIECE, _SPIN, _OR, _END_SPIN = "piece", "spin", "or", "endspin"


class Liquid:
    """The Liquid of one text, parsed. Raises TemplateError when made and when rendered."""

    def __init__(self, nodes: Nodes, *, text: str, html: bool, to_parts: Callable[[Nodes], Parts]) -> None:
        self._text = text
        self._to_parts = to_parts
        self._pieces: list[Parts] = []
        self._offsets: list[int] = []
        self._positions: list[int] = []
        self._environment = environment(html=html)
        self._source = "".join(self._write(nodes, 0))
        self._asked: dict[str | int, None] = {}  # names, and numbers of spintax groups, that ever mattered
        self._scripts: dict[tuple[object, ...], Script] = {}  # by their answers
        try:
            self._template = self._environment.from_string(self._source)
            self.uses: Uses = inspect(self._template)
        except LiquidError as error:
            raise self._explain(error) from error
        for output in outputs(self._template):
            names = fixed_names(output.expression)
            if names is not None and isinstance(output, _OutputNode) and names.isdisjoint(self.uses.local):
                output.apart = _Apart(self._template, output, names)

    def find_script(self, filling: Filling) -> Script | None:
        """What Liquid made of the same answers before."""
        answers = self._answers(filling)
        script = self._scripts.get(answers) if answers is not None else None
        if script and script.outputs:
            with self._explained():
                filling.compute(script.outputs)
        return script

    def render(self, filling: Filling) -> str:
        """The text, with marks for empty places still in it."""
        for _ in range(_ATTEMPTS):
            with suppress(TimeoutError):
                return self._render(filling)
        raise TemplateError("This text takes too long to fill; shorten its loops.")

    def _render(self, filling: Filling) -> str:
        buffer = _Script(MAX_OUTPUT)
        scope = _Scope(filling, self._pieces)
        with self._explained():
            self._template.render_with_context(_Context(self._template, scope), buffer)
        self._remember(filling, scope, buffer)
        return buffer.getvalue()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except LiquidError as error:
            raise self._explain(error) from error
        except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise TemplateError(f"A filter cannot work with this lead's value: {error}.") from error

    def _answers(self, filling: Filling) -> tuple[object, ...] | None:
        """What this mail says to all that was ever asked; None if that is more than words."""
        answers = [_answer(filling, question) for question in self._asked]
        return tuple(answers) if all(answer.__class__ in _PLAIN for answer in answers) else None

    def _remember(self, filling: Filling, scope: "_Scope", buffer: "_Script") -> None:
        """Whoever gives the same answers is asked the same questions again, in the same order, and gets the same."""
        if scope.asked.keys() - self._asked.keys():
            self._asked |= scope.asked
            self._scripts.clear()
        answers = self._answers(filling)
        if answers is None or not scope.is_repeatable or len(buffer.places) > _MOST_PIECES:
            return
        if len(self._scripts) >= _MOST_SCRIPTS:
            self._scripts.clear()
        self._scripts[answers] = self._same(buffer.script(self._pieces, len(filling.slot_texts)))

    def _same(self, script: Script) -> Script:
        """The one that is known already, if there is one: other answers often come to the same."""
        for known in self._scripts.values():
            if (known.parts, known.outputs) == (script.parts, script.outputs):
                return known
        return script

    def _write(self, nodes: Nodes, offset: int) -> Iterator[str]:
        """The source for python-liquid; where each part of it comes from is noted."""
        for is_liquid, group in groupby(nodes, has_liquid):
            neighbours = tuple(group)
            for part in self._write_liquid(neighbours, offset) if is_liquid else (self._piece(neighbours),):
                offset += len(part)
                yield part

    def _write_liquid(self, nodes: Iterable[Node], offset: int) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, str | Slot):
                continue  # has no Liquid
            self._offsets.append(offset)
            self._positions.append(node.position)
            for part in (node.source,) if isinstance(node, Code) else self._write_spin(node, offset):
                offset += len(part)
                yield part

    def _write_spin(self, spin: Spin, offset: int) -> Iterator[str]:
        start = f"{{% {_SPIN} {spin.index} %}}"
        for option in spin.options:
            yield start
            offset += len(start)
            for part in self._write(option, offset):
                offset += len(part)
                yield part
            start = f"{{% {_OR} %}}"
        yield f"{{% {_END_SPIN} %}}"

    def _piece(self, nodes: Nodes) -> str:
        if len(nodes) == 1 and isinstance(nodes[0], str) and not {"{", "}"} & set(nodes[0]):
            return nodes[0]
        self._pieces.append(self._to_parts(nodes))
        return f"{{% {_PIECE} {len(self._pieces) - 1} %}}"

    def _explain(self, error: LiquidError) -> TemplateError:
        message = _explanation(error)
        index = error.token.start_index if error.token else -1
        place = bisect_right(self._offsets, index) - 1 if index >= 0 else self._find_place(str(error.message))
        if not 0 <= place < len(self._positions):
            return TemplateError(message)
        return TemplateError(message, text=self._text, position=self._positions[place])

    def _find_place(self, message: str) -> int:
        """Where parsing fails with a message that does not tell: the first tag with which it fails so."""

        def fails(place: int) -> bool:
            try:
                self._environment.from_string(self._source[: (*self._offsets, None)[place + 1]])
            except LiquidError as error:
                return str(error.message) == message
            return False

        return bisect_left(range(len(self._offsets)), True, key=fails)


def has_liquid(node: object) -> bool:
    """Whether a node, or one inside it, needs Liquid."""
    return isinstance(node, Code) or (
        isinstance(node, Spin) and any(has_liquid(inner) for option in node.options for inner in option)
    )


_PLAIN = (str, int, type(None))


def _answer(filling: Filling, question: str | int) -> object:
    if isinstance(question, int):
        return filling.choices[question]
    value = filling.values.get(question)
    if value.__class__ is str and value:
        return value
    value = filling.values.find(question, fold(question))
    return Ellipsis if isinstance(value, int) else value  # 1, 1.0 and true are the same key, not the same text


def _explanation(error: LiquidError) -> str:
    words = str(error.message).rstrip(".")
    if isinstance(error, ResourceLimitError):
        return f"This text makes too much work ({words}); shorten its loops."
    if _CROSSED.match(words):  # tags are known to be in pairs by now
        return "A tag and its end must be in the same spintax option."
    return f"{words[:1].upper()}{words[1:]}."


class _Script(LimitedStringIO):
    """What Liquid writes, and which of it are pieces, or outputs that can be written apart from the rest."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.places: list[tuple[int, int, int | _Apart]] = []  # start, end, index of the piece or the output

    def write_place(self, text: str, what: "int | _Apart") -> int:
        start = self.tell()
        length = self.write(text)
        self.places.append((start, self.tell(), what))
        return length

    def script(self, pieces: list[Parts], slot_count: int) -> Script:
        text = self.getvalue()
        parts: list[str | int | Choice] = []
        apart: dict[_Apart, int] = {}
        position = 0
        for start, end, what in self.places:
            parts.append(text[position:start])
            if isinstance(what, int):
                parts += pieces[what]
            else:
                parts.append(slot_count + apart.setdefault(what, len(apart)))
            position = end
        return Script((*parts, text[position:]), tuple(apart))


class _Scope(Mapping[str, object]):
    """What Liquid sees of a mail: the lead's values, the helpers and the present moment."""

    def __init__(self, filling: Filling, pieces: list[Parts]) -> None:
        self.filling = filling
        self.pieces = pieces
        self.asked: dict[str | int, None] = {}
        self.is_repeatable = True  # not where the time was asked for, or pieces were worked on

    def __getitem__(self, name: str) -> object:
        if name in HELPERS:
            self.is_repeatable = False
            return HELPERS[name](self.filling.local)
        self.asked[name] = None
        value = self.filling.values.find(name, fold(name))
        if value is not None:
            return value.strip() if isinstance(value, str) else value
        if name in ("now", "today"):  # python-liquid would ask the machine's clock
            self.is_repeatable = False
            return self.filling.local
        raise KeyError(name)

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        self.is_repeatable = False
        return len(self.filling.values)

    def __iter__(self) -> Iterator[str]:
        self.is_repeatable = False
        return iter(self.filling.values)


class _Context(RenderContext):
    """A render with a bound on loops and time."""

    def __init__(self, template: BoundTemplate, scope: _Scope) -> None:
        super().__init__(template, globals=scope)
        self.scope_of_mail = scope
        self._iterations = 0
        self._steps = 0
        self._deadline = time.thread_time() + TIME_LIMIT_SECONDS

    @property
    def disabled_tags(self) -> list[str]:
        """Every node asks for these before it renders, so here its steps are counted; no tag is ever disabled."""
        self._steps += 1
        if not self._steps % _STEPS_BETWEEN_LOOKS and time.thread_time() > self._deadline:
            raise TimeoutError
        return []

    @disabled_tags.setter
    def disabled_tags(self, tags: list[str]) -> None:
        pass

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """All loops together, not only those inside each other."""
        self._iterations += length
        if self._iterations > MAX_ITERATIONS:
            raise LoopIterationLimitError(f"more than {MAX_ITERATIONS:,} rounds", token=None)

    def assign(self, key: str, val: Any) -> None:
        super().assign(key, val.replace(EMPTY, "") if isinstance(val, str) else val)


class _OutputNode(OutputNode):
    """An output that marks an empty place."""

    __slots__ = ("apart",)

    def __init__(self, token: Token, expression: Expression) -> None:
        super().__init__(token, expression)
        self.apart: _Apart | None = None

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        if self.apart and isinstance(buffer, _Script):
            return buffer.write_place(self.apart(_scope(context).filling), self.apart)
        return buffer.write(self.text(context))

    def text(self, context: RenderContext) -> str:
        value = self.expression.evaluate(context)
        return _scope(context).filling.show(value if isinstance(value, str) else as_text(value))


class _Apart:
    """An output that asks for nothing but the mail's own values, so it does not matter what was written before."""

    def __init__(self, template: BoundTemplate, node: _OutputNode, names: Iterable[str]) -> None:
        self._template = template
        self._node = node
        self._names = tuple(names)
        self._texts: dict[tuple[object, ...], str] = {}  # by the answers

    def __call__(self, filling: Filling) -> str:
        answers = tuple([_answer(filling, name) for name in self._names])
        is_plain = all(answer.__class__ in _PLAIN for answer in answers)
        if is_plain and (known := self._texts.get(answers)) is not None:
            return known
        scope = _Scope(filling, [])
        text = self._node.text(_Context(self._template, scope))
        if is_plain and scope.is_repeatable:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            self._texts[answers] = text
        return text


class _Output(Output):
    node_class = _OutputNode


class _IfNode(IfNode):
    """A condition that shows nothing leaves an empty place too: `Hi {% if first_name %}…{% endif %}, how`."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return super().render_to_output(context, buffer) or buffer.write(EMPTY)


class _If(IfTag):
    node_class = _IfNode


class _PieceNode(LiquidNode):
    """Text, variables and spintax between the Liquid."""

    __slots__ = ("_index",)

    def __init__(self, token: Token, index: int) -> None:
        super().__init__(token)
        self.blank = False
        self._index = index

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        scope = _scope(context)
        out: list[str] = []
        scope.filling.write(scope.pieces[self._index], out)
        if not isinstance(buffer, _Script):  # captured
            scope.is_repeatable = False
            return buffer.write("".join(out))
        return buffer.write_place("".join(out), self._index)


class _PieceTag(Tag):
    name = _PIECE
    block = False

    def parse(self, stream: TokenStream) -> LiquidNode:
        token = stream.eat(TOKEN_TAG)
        stream.expect(TOKEN_EXPRESSION)
        return _PieceNode(token, int(stream.current.value))


class _SpinNode(LiquidNode):
    """A spintax group with Liquid in its options."""

    __slots__ = ("_blocks", "_index")

    def __init__(self, token: Token, index: int, blocks: list[BlockNode]) -> None:
        super().__init__(token)
        self.blank = False
        self._index = index
        self._blocks = blocks

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        scope = _scope(context)
        scope.asked[self._index] = None
        chosen = self._blocks[scope.filling.choices[self._index]]
        return chosen.render(context, buffer) if chosen.nodes else buffer.write(EMPTY)

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[LiquidNode]:  # noqa: ARG002
        return self._blocks


class _SpinTag(Tag):
    name = _SPIN
    end = _END_SPIN

    def parse(self, stream: TokenStream) -> LiquidNode:
        token = stream.eat(TOKEN_TAG)
        index = int(stream.eat(TOKEN_EXPRESSION).value)
        blocks = [get_parser(self.env).parse_block(stream, (_OR, _END_SPIN))]
        while stream.current.is_tag(_OR):
            next(stream)
            blocks.append(get_parser(self.env).parse_block(stream, (_OR, _END_SPIN)))
        stream.expect(TOKEN_TAG, value=_END_SPIN)
        return _SpinNode(token, index, blocks)


def _scope(context: RenderContext) -> _Scope:
    if not isinstance(context, _Context):
        raise LiquidSyntaxError("a piece of a mail outside a mail", token=None)
    return context.scope_of_mail


class _Environment(Environment):
    block_nesting_limit = 30
    context_depth_limit = 30
    loop_iteration_limit = MAX_ITERATIONS
    local_namespace_limit = 1_000_000
    output_stream_limit = MAX_OUTPUT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for name in _UNAVAILABLE:
            del self.tags[name]
        for tag in (_Output, _If, _PieceTag, _SpinTag):
            self.add_tag(tag)
        filters.install(self)


@cache
def environment(*, html: bool) -> Environment:
    """Values are escaped where the text is HTML."""
    return _Environment(autoescape=html)
