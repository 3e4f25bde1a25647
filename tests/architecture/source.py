"""The product's source as syntax trees; read once."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "outrider"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    path: Path
    tree: ast.Module

    @property
    def short_name(self) -> str:
        """`leads.blocks.store`"""
        return self.name.removeprefix("outrider.")

    @property
    def layer(self) -> str:
        """`leads` of `outrider.leads.blocks.store`"""
        return self.short_name.partition(".")[0]

    @property
    def stem(self) -> str:
        return self.path.stem

    def place(self, node: ast.AST) -> str:
        """For an editor: path and line."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@cache
def modules() -> tuple[Module, ...]:
    return tuple(_module(path) for path in sorted(PACKAGE.rglob("*.py")))


def _module(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path, ast.parse(path.read_text("utf-8")))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def imports(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """What a module imports, by its full name, wherever in the module."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def listed(findings: Iterable[str]) -> str:
    """Findings as the text of a failed assertion."""
    return "".join(f"\n  {finding}" for finding in findings)
