"""The statistics of pairs of whole fields, and constraints, as a protocol declares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import UsageError
from wxreg.ids import near_names
from wxreg.runs.scoring.settings import setting
from wxreg.scores import constraints
from wxreg.scores.catalogue import METRICS
from wxreg.scores.displacement import Displacement
from wxreg.scores.fss import FractionsSkill
from wxreg.scores.multivariate import FieldVectors
from wxreg.scores.neighbourhood import Neighbourhood
from wxreg.scores.objects import ObjectScores
from wxreg.scores.sal import Sal
from wxreg.scores.spectra import Spectrum
from wxreg.scores.states import State
from wxreg.scores.structure import Structure
from wxreg.specs.grid import Grid
from wxreg.specs.protocol import Constraint, Protocol

Field = NDArray[np.floating[Any]]
Update = Callable[[Field, Field], State]
"""The state of one member's field and the truth, each ``(y, x)``."""

_KM_PER_DEGREE: Final = 111.195
_OBJECT_SETTINGS: Final = ("smallest", "gap", "reach_km", "intensity_scale", "least_interest")


@dataclass(frozen=True)
class Domain:
    """The spacing of the grid in kilometres."""

    dy: float
    dx: float

    @classmethod
    def of(cls, grid: Grid, lat: NDArray[np.float64]) -> Domain:
        """From the grid; a degree of longitude is taken at the mean latitude."""
        dy, dx = (abs(step) for step in grid.spacing)
        if grid.units == "m":
            return cls(dy / 1000, dx / 1000)
        shrink = float(np.cos(np.deg2rad(np.nanmean(lat))))
        return cls(dy * _KM_PER_DEGREE, dx * _KM_PER_DEGREE * shrink)


def windows_of(protocol: Protocol, statistic: str = "fss") -> tuple[int, ...]:
    """The neighbourhood widths that a protocol scores, in cells."""
    found = (m.windows for m in protocol.metrics
             if METRICS[m.id].statistic == statistic and m.windows)  # fmt: skip
    return next(found, (1,))


def _fss(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    edge: Any = "valid" if protocol.edges == "valid" else "padded"
    return FractionsSkill(thresholds, windows_of(protocol), edge).update


def _spectrum(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    return Spectrum(domain.dy, domain.dx).update


def _sal(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    return Sal(domain.dy, domain.dx, wet=setting(protocol, "sal", "wet", 0.1)).update


def _structure(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    return Structure(domain.dy, domain.dx).update


def _displacement(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    block = setting(protocol, "displacement", "block", 64)
    return Displacement(domain.dy, domain.dx, block).update


def _objects(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    asked = {name: setting(protocol, "objects", name, None) for name in _OBJECT_SETTINGS}
    chosen = {name: value for name, value in asked.items() if value is not None}
    each = [ObjectScores(value, domain.dy, domain.dx, **chosen) for value in thresholds]

    def update(forecast: Field, truth: Field) -> State:
        both = np.isfinite(forecast) & np.isfinite(truth)
        pair = np.where(both, forecast, np.nan), np.where(both, truth, np.nan)
        return stacked([one.update(*pair) for one in each])

    return update


def stacked(states: Sequence[State]) -> State:
    """States of several thresholds as one, with a leading axis."""
    return State({name: np.stack([s[name] for s in states]) for name in states[0].arrays})


def _neighbourhood(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    return Neighbourhood(thresholds, windows_of(protocol, "neighbourhood")).update


BUILDERS: Final[dict[str, Callable[[Domain, Protocol, tuple[float, ...]], Update]]] = {
    "fss": _fss,
    "spectrum": _spectrum,
    "sal": _sal,
    "structure": _structure,
    "displacement": _displacement,
    "objects": _objects,
    "neighbourhood": _neighbourhood,
}
NEED_THRESHOLDS: Final = frozenset({"fss", "objects", "neighbourhood", "initiation"})
"""Statistics that have nothing to say of a variable without thresholds."""


def field_vectors(protocol: Protocol) -> FieldVectors:
    """The scores of whole fields as vectors."""
    points = setting(protocol, "field_vector", "points", 256)
    return FieldVectors(points, setting(protocol, "field_vector", "order", 0.5))


def _conserves_blocks(
    variable: str, relative: float = 0.0, tolerance: float = 0.0
) -> constraints.Constraint:
    return constraints.conserves_blocks(variable, INPUT + variable, relative, tolerance)


INPUT: Final = "input:"
"""Before the name of a variable: the field that the model was given."""
_CONSTRAINTS: Final[dict[str, Callable[..., constraints.Constraint]]] = {
    "not_negative": constraints.not_negative,
    "at_most": constraints.at_most,
    "within": constraints.within,
    "clausius_clapeyron": constraints.clausius_clapeyron,
    "conserves_blocks": _conserves_blocks,
}


def constraint_of(declared: Constraint) -> constraints.Constraint:
    """The constraint that a protocol names; refused with the near names."""
    if declared.name not in _CONSTRAINTS:
        near = near_names(declared.name, _CONSTRAINTS)
        raise UsageError(
            "REG-250",
            f"there is no constraint {declared.name!r}",
            hint=f"known: {', '.join(near or _CONSTRAINTS)}",
        )
    try:
        return _CONSTRAINTS[declared.name](**declared.settings, tolerance=declared.tolerance)
    except TypeError as error:
        raise UsageError("REG-250", f"constraint {declared.name}: {error}") from error
