"""Small changes to Python code, each of which some test should notice."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple


class Mutant(NamedTuple):
    """A changed file.

    Attributes:
        line: of the change, counted from 1.
        what: is changed, as ``old -> new``.
        text: of the whole file.
    """

    line: int
    what: str
    text: str


_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
}


def mutants_of(source: str) -> list[Mutant]:
    """Return every change of one place of a Python file, in the order of the lines.

    Changed are comparisons, and/or, not, arithmetic, numbers, True and False; left out are
    statements that only have an effect: calls, attributes and items that are set, augmented
    assignments, raise, break and continue; a value that is returned becomes None. Annotations,
    decorators, asserts and f-strings stay as they are.

    Raises:
        SyntaxError: it is not Python.
    """
    raw = source.encode("utf-8")
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    mutants = []
    for node in _places(ast.parse(source)):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        old = raw[begin:end].decode("utf-8")
        for new in _replacements(node):
            text = (raw[:begin] + new.encode("utf-8") + raw[end:]).decode("utf-8")
            mutants.append(Mutant(node.lineno, f"{_short(old)} -> {_short(new)}", text))
    return sorted(mutants, key=lambda mutant: mutant.line)


def _short(text: str) -> str:
    return " ".join(text.split())[:60]


def _places(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield all statements and expressions in which a change may be made."""
    if isinstance(node, (ast.JoinedStr, ast.Assert)):
        return
    if isinstance(node, (ast.stmt, ast.expr)):
        yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _places(child)


def _replacements(node: ast.expr | ast.stmt) -> list[str]:
    if isinstance(node, ast.stmt):
        return _without(node)
    return [f"({ast.unparse(changed)})" for changed in _changed(node)]


def _without(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Return) and node.value is not None:
        nothing = isinstance(node.value, ast.Constant) and node.value.value is None
        return [] if nothing else ["return None"]
    if isinstance(node, ast.Expr):
        return ["pass"] if isinstance(node.value, ast.Call) else []
    if isinstance(node, ast.Assign):
        kept = all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets)
        return ["pass"] if kept else []
    return ["pass"] if isinstance(node, (ast.AugAssign, ast.Raise, ast.Break, ast.Continue)) else []


def _changed(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare):
        for k, operator in enumerate(node.ops):
            for other in _COMPARISONS[type(operator)]:
                changed = copy.deepcopy(node)
                changed.ops[k] = other()
                yield changed
    elif isinstance(node, ast.BoolOp):
        other_bool = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.BoolOp(other_bool, node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in _other_values(node.value))


def _other_values(value: object) -> list[bool | int | float]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    if isinstance(value, float):
        return [2 * value, value / 2] if value else [1.0]
    return []
