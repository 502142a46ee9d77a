"""Laws of the lexicon."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from wxreg.data.derived import formula
from wxreg.library.loading import Library
from wxreg.specs.units import parse_unit
from wxreg.specs.variables import Variable

LEXICON = Library(Path(__file__).parents[2]).lexicon()
VARIABLES = tuple(LEXICON.values())
FIXED = ("t2m", "refc", "cape_sb", "mxuphl_2_5km", "vil", "precip_3h")
"""Names that the design promises."""


def _depth(name: str, seen: tuple[str, ...] = ()) -> int:
    assert name not in seen, f"{' → '.join((*seen, name))} goes round in a circle"
    derived = LEXICON[name].derived
    return 1 + max((_depth(i, (*seen, name)) for i in derived.inputs), default=0) if derived else 0


def test_the_promised_names_are_there() -> None:
    assert set(FIXED) <= set(LEXICON)
    assert len(VARIABLES) > 150


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda v: v.id)
def test_a_variable_makes_sense(variable: Variable) -> None:
    parse_unit(variable.units)
    low, high = variable.range
    assert low is None or high is None or low < high
    if variable.transform == "log1p":
        assert low is not None and low >= 0, "log1p of values below -1 does not exist"
    if variable.kind in ("instant", "static"):
        assert variable.window is None
    if variable.kind == "accumulation":
        assert low == 0 and (variable.window is not None or variable.id.endswith("_run"))


@pytest.mark.parametrize("variable", [v for v in VARIABLES if v.partner], ids=lambda v: v.id)
def test_vector_components_name_each_other(variable: Variable) -> None:
    other = LEXICON[str(variable.partner)]
    assert other.partner == variable.id
    assert {variable.vector, other.vector} == {"x", "y"}
    assert (other.units, other.kind, other.window) == (
        variable.units,
        variable.kind,
        variable.window,
    )


@pytest.mark.parametrize("variable", [v for v in VARIABLES if v.derived], ids=lambda v: v.id)
def test_derived_variables_rest_on_known_ones(variable: Variable) -> None:
    assert variable.derived is not None
    assert set(variable.derived.inputs) <= set(LEXICON)
    assert _depth(variable.id) <= 3


@pytest.mark.parametrize("variable", [v for v in VARIABLES if v.derived], ids=lambda v: v.id)
def test_a_formula_takes_the_inputs_that_are_named(variable: Variable) -> None:
    assert variable.derived is not None
    taken = inspect.signature(formula(variable.derived.formula)).parameters
    assert len(taken) == len(variable.derived.inputs)
