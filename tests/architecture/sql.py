"""The SQL of the product: every statement that stands in the source, put together from its fragments."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tests.architecture.source import PACKAGE, Function, Module, functions, modules

_STATEMENT = re.compile(r"\s*(--[^\n]*\n\s*)*(SELECT|WITH|INSERT INTO|UPDATE|DELETE FROM|COPY|TRUNCATE|MERGE INTO)\b")
_COMMENT = re.compile(r"--[^\n]*")
_TEXT = re.compile(r"'[^']*'")
_WRITTEN = re.compile(
    r"\b(?:INSERT INTO|(?<!FOR )(?<!NO KEY )(?<!DO )UPDATE|DELETE FROM|COPY|TRUNCATE(?: TABLE)?|MERGE INTO)"
    r"\s+(?:ONLY\s+)?([a-z_]+)"
)
_USED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|USING|COPY)\s+(?:ONLY\s+)?([a-z_]+)|,\s*([a-z_]+)(?=\s)")
_CREATED = re.compile(
    r"^\s*CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?([a-z_]+) \(\n(.*?)^\s*\)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement; what cannot be known from the source reads `<…>`."""

    module: Module
    function: str
    place: str
    text: str

    @property
    def name(self) -> str:
        """`leads.store.find_lead`"""
        return f"{self.module.short_name}.{self.function}"

    @property
    def written(self) -> set[str]:
        """The tables of ours that it changes."""
        return set(_WRITTEN.findall(self.code)) & tables().keys()

    @property
    def used(self) -> set[str]:
        """The tables of ours that it reads or changes."""
        return {name for pair in _USED.findall(self.code) for name in pair} & tables().keys()

    @property
    def code(self) -> str:
        """Without comments and texts."""
        return _TEXT.sub("''", _COMMENT.sub("", self.text))


@cache
def tables() -> Mapping[str, str]:
    """Every table of ours with the text of its columns; procrastinate's are not ours."""
    sources = [path.read_text("utf-8") for path in sorted((PACKAGE / "migrations").glob("*.sql"))]
    sources.append((PACKAGE / "kit" / "migrate.py").read_text("utf-8"))  # makes the table of migrations itself
    found = {name: columns for source in sources for name, columns in _CREATED.findall(source)}
    return {name: columns for name, columns in found.items() if not name.startswith("procrastinate_")}


@cache
def statements() -> tuple[Statement, ...]:
    return tuple(statement for module in modules() for statement in _statements_of(module))


def _statements_of(module: Module) -> Iterator[Statement]:
    constants = dict(_strings(module.tree.body))
    for function in functions(module.tree):
        known = {**constants, **dict(_strings(ast.walk(function)))}
        for node, text in _texts(function, known, constants):
            if _STATEMENT.match(text):
                yield Statement(module, function.name, module.place(node), text)


def _strings(nodes: "Iterator[ast.AST] | list[ast.stmt]") -> Iterator[tuple[str, ast.expr]]:
    """Names and what is assigned to them."""
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def _texts(
    node: ast.AST, known: Mapping[str, ast.expr], constants: Mapping[str, ast.expr]
) -> Iterator[tuple[ast.AST, str]]:
    """The strings in a function, each as long as it gets; a local name is read where it is made."""
    if isinstance(node, ast.expr) and not (isinstance(node, ast.Name) and node.id not in constants):
        text = _text(node, known)
        if text is not None:
            yield node, text
            return
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function):
            yield from _texts(child, known, constants)


def _text(node: ast.expr, known: Mapping[str, ast.expr]) -> str | None:
    """What a string expression says; None for everything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(value, known) or "<…>" for value in values)
        case ast.FormattedValue(value=value) | ast.Call(func=ast.Attribute(value=value, attr="format" | "replace")):
            return _text(value, known)
        case ast.Name(id=name) if name in known:
            return _text(known[name], {key: value for key, value in known.items() if key != name})
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = _text(left, known), _text(right, known)
            return None if parts == (None, None) else "".join(part or "<…>" for part in parts)
    return None
