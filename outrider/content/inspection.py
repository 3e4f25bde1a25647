"""A walk through parsed Liquid: which names it uses, what is refused, and comparisons made to suit values that are
mostly text (from CSV files) and often missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from liquid import Expression, Node, RenderContext
from liquid.builtin.expressions import FilteredExpression, LoopExpression, Path
from liquid.builtin.expressions.logical import (
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import Blank, Empty, RangeLiteral
from liquid.builtin.output import OutputNode
from liquid.exceptions import LiquidSyntaxError, LoopIterationLimitError
from liquid.template import BoundTemplate
from liquid.undefined import is_undefined

MAX_ITERATIONS = 10_000
_MAX_FILTERS = 10
_SIGNS = frozenset("+-.")
_LOOP_NAMES = frozenset({"forloop"})
_COMPARISONS = (EqExpression, NeExpression, LtExpression, GtExpression, LeExpression, GeExpression)


@dataclass(frozen=True, slots=True)
class Uses:
    """Names from outside: all of them, and those that leave a gap if they have no value; and names made inside."""

    names: frozenset[str]
    needed: frozenset[str]
    local: frozenset[str]


@dataclass(slots=True)
class _Found:
    shown: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    local: set[str] = field(default_factory=lambda: set(_LOOP_NAMES))


def inspect(template: BoundTemplate) -> Uses:
    """Check and adapt a template that has just been parsed. Raises LiquidSyntaxError."""
    found = _Found()
    for node in _nodes(template.nodes, RenderContext(template)):
        found.local.update(node.template_scope(), node.block_scope())
        for expression in node.expressions():
            names = set(_visit(expression))
            if isinstance(node, OutputNode) and (shown := _shown_name(expression)):
                found.shown.add(shown)
                names.discard(shown)
            found.others |= names
    # What a condition asks about is not missed where it is shown.
    return Uses(
        names=frozenset((found.shown | found.others) - found.local),
        needed=frozenset(found.shown - found.others - found.local),
        local=frozenset(found.local),
    )


def outputs(template: BoundTemplate) -> Iterator[OutputNode]:
    """Every output of a template."""
    return (node for node in _nodes(template.nodes, RenderContext(template)) if isinstance(node, OutputNode))


def fixed_names(expression: Expression) -> frozenset[str] | None:
    """The names an expression asks for; None if which ones depends on values."""
    names: set[str] = set()
    if isinstance(expression, Path):
        name = expression.head()
        if not isinstance(name, str):
            return None
        names.add(name)
    for child in expression.children():
        inner = fixed_names(child)
        if inner is None:
            return None
        names |= inner
    return frozenset(names)


def _nodes(nodes: list[Node], context: RenderContext) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _nodes(list(node.children(context)), context)


def _shown_name(expression: Expression) -> str | None:
    """The name an output shows, if it has no default."""
    if not isinstance(expression, FilteredExpression) or not isinstance(expression.left, Path):
        return None
    if any(filter_.name == "default" for filter_ in expression.filters or ()):
        return None
    return str(expression.left.head())


def _visit(expression: Expression) -> Iterator[str]:
    """The names in an expression; on the way it is checked and adapted."""
    if isinstance(expression, Path):
        yield str(expression.head())
    elif isinstance(expression, RangeLiteral):
        message = 'a range such as (1..5) works in "for" only'
        raise LiquidSyntaxError(message, token=expression.token)
    elif isinstance(expression, FilteredExpression) and len(expression.filters or ()) > _MAX_FILTERS:
        raise LiquidSyntaxError(f"more than {_MAX_FILTERS} filters in a row", token=expression.token)
    children = list(expression.children())
    if isinstance(expression, LoopExpression) and isinstance(expression.iterable, RangeLiteral):
        children = [*expression.iterable.children(), *children[1:]]
        expression.iterable = _ShortRange(expression.iterable)
    elif isinstance(expression, _COMPARISONS):
        left, right = expression.left, expression.right
        expression.left, expression.right = _Agreed(left, right), _Agreed(right, left)
    for child in children:
        yield from _visit(child)


class _ShortRange(Expression):
    """A range that is not longer than a loop may be."""

    __slots__ = ("_range",)

    def __init__(self, range_: RangeLiteral) -> None:
        super().__init__(range_.token)
        self._range = range_

    def __str__(self) -> str:
        return str(self._range)

    def evaluate(self, context: RenderContext) -> range:
        result = self._range.evaluate(context)
        if result.stop - result.start > MAX_ITERATIONS:
            raise LoopIterationLimitError("loop iteration limit reached", token=self.token)
        return result

    def children(self) -> list[Expression]:
        return self._range.children()


class _Agreed(Expression):
    """One side of a comparison, in the type of the other."""

    __slots__ = ("_other", "_own")

    def __init__(self, own: Expression, other: Expression) -> None:
        super().__init__(own.token)
        self._own = own
        self._other = other

    def __str__(self) -> str:
        return str(self._own)

    def evaluate(self, context: RenderContext) -> object:
        return _agree(self._own.evaluate(context), self._other.evaluate(context))

    def children(self) -> list[Expression]:
        return [self._own]


def _agree(value: object, other: object) -> object:
    """`company_name != ""` is false without a company, `employees > 50` compares "120" as a number."""
    if is_undefined(value):
        return "" if isinstance(other, str | Blank | Empty) else None
    if not isinstance(value, str):
        return value
    if isinstance(other, bool):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    if isinstance(other, int | float):
        return _number(value)
    if isinstance(other, str) and (number := _number(value)) is not None and _number(other) is not None:
        return number
    return value


def _number(text: str) -> int | float | None:
    text = text.strip().replace(",", "")
    if not text[:1].isdigit() and text[:1] not in _SIGNS:
        return None  # most are words, and an exception costs more than a look
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return None
