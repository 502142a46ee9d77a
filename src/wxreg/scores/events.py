"""Events over several variables, written as text: `refc >= 35 dBZ and cape_sb >= 1000`.

The text is parsed with Python's grammar and only comparisons, `and`, `or`, `not`, names,
numbers and + - * / are accepted; nothing is evaluated as code.  A unit after a number is
kept, so that a protocol can check it against the variable's units.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import NotFound, UsageError
from wxreg.scores.categorical import contingency
from wxreg.scores.states import State

Field = NDArray[np.floating[Any]]

_NUMBER_WITH_UNIT = re.compile(
    r"(?<![\w.])(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s+(?!(?:and|or|not)\b)"
    r"([A-Za-z%°][\w%°/^*-]*(?:\s+[A-Za-z]+-?\d+)*)"
)
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.GtE: operator.ge, ast.Gt: operator.gt, ast.LtE: operator.le, ast.Lt: operator.lt,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


@dataclass(frozen=True)
class Event:
    """A parsed event: its text, the variables it needs, and the units it mentions."""

    text: str
    variables: tuple[str, ...]
    units: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Event:
        """Read the text; refused with the part that is not understood."""
        if len(text) > 1000:
            raise UsageError("REG-250", "an event expression is at most 1000 characters long")
        tree = _tree(text)
        _check(tree, text)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        units = tuple(unit for _, unit in _NUMBER_WITH_UNIT.findall(text))
        if not names:
            raise UsageError("REG-250", f"no variable in the event {text!r}")
        return cls(text, tuple(sorted(names)), units)

    def happens(self, fields: Mapping[str, Field]) -> NDArray[np.bool_]:
        """Where the event is true; False where a needed value is missing (see `present`)."""
        for name in self.variables:
            if name not in fields:
                raise NotFound(
                    "REG-302", f"the event {self.text!r} needs {name}",
                    hint="variables given: " + ", ".join(sorted(fields)),
                )  # fmt: skip
        truth = np.asarray(_value(_tree(self.text), fields), bool)
        return truth & self.present(fields)

    def present(self, fields: Mapping[str, Field]) -> NDArray[np.bool_]:
        """Where every needed value is there."""
        return reduce(np.logical_and, [np.isfinite(fields[name]) for name in self.variables])

    def update(self, forecast: Mapping[str, Field], truth: Mapping[str, Field]) -> State:
        """Contingency counts over the points where both sides are present."""
        both = self.present(forecast) & self.present(truth)
        counts = contingency(self.happens(forecast)[both], self.happens(truth)[both])
        missing = np.array(both.size - both.sum(), np.int64)
        return State({"contingency": counts, "missing": missing})


def _tree(text: str) -> ast.expr:
    bare = _NUMBER_WITH_UNIT.sub(r"\1", text).strip()
    try:
        return ast.parse(bare, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        raise UsageError("REG-250", f"the event {text!r} does not parse: {fault}") from fault


def _is_test(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return all(_is_test(value) for value in node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _is_test(node.operand)
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return all(type(op) in _COMPARE for op in node.ops) and all(_is_number(s) for s in sides)
    return False


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return type(node.op) in _ARITHMETIC and _is_number(node.left) and _is_number(node.right)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and _is_number(node.operand)
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    return isinstance(node, ast.Name)


def _check(node: ast.expr, text: str) -> None:
    if not _is_test(node):
        raise UsageError(
            "REG-250",
            f"the event {text!r} is not a test over variables",
            hint="write comparisons joined by and, or, not: `scp >= 1 and refc >= 35 dBZ`",
        )


def _value(node: ast.expr, fields: Mapping[str, Field]) -> Any:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return reduce(np.logical_and, [_value(value, fields) for value in values])
        case ast.BoolOp(values=values):
            return reduce(np.logical_or, [_value(value, fields) for value in values])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(_value(operand, fields))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, fields)
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_value(left, fields), _value(right, fields))
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compare([_value(side, fields) for side in (left, *others)], ops)
        case ast.Name(id=name):
            return fields[name]
        case ast.Constant(value=value):
            return value
    raise AssertionError(f"unchecked node {node!r}")


def _compare(sides: list[Any], ops: list[ast.cmpop]) -> Any:
    tests = [_COMPARE[type(op)](sides[i], sides[i + 1]) for i, op in enumerate(ops)]
    return reduce(np.logical_and, tests)
