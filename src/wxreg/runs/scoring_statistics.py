"""The statistics of pairs of whole fields, and constraints, as a protocol declares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import UsageError
from wxreg.ids import near_names
from wxreg.scores import constraints
from wxreg.scores.displacement import Displacement
from wxreg.scores.fss import FractionsSkill
from wxreg.scores.likelihood import EnsembleLogLikelihood
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


def windows_of(protocol: Protocol) -> tuple[int, ...]:
    """The neighbourhood widths that a protocol scores, in cells."""
    return next((m.windows for m in protocol.metrics if m.id == "fss" and m.windows), (1,))


def _setting(protocol: Protocol, metric: str, name: str, default: float) -> float:
    found = (m.settings[name] for m in protocol.metrics if m.id == metric and name in m.settings)
    return float(next(found, default))  # type: ignore[arg-type]


def _fss(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    edge: Any = "valid" if protocol.edges == "valid" else "padded"
    return FractionsSkill(thresholds, windows_of(protocol), edge).update


def _spectrum(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    return Spectrum(domain.dy, domain.dx).update


def _sal(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    return Sal(domain.dy, domain.dx, wet=_setting(protocol, "sal_s", "wet", 0.1)).update


def _structure(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    return Structure(domain.dy, domain.dx).update


def _displacement(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    block = int(_setting(protocol, "displacement", "block", 64))
    return Displacement(domain.dy, domain.dx, block).update


def _objects(domain: Domain, protocol: Protocol, thresholds: tuple[float, ...]) -> Update:
    each = [ObjectScores(value, domain.dy, domain.dx) for value in thresholds]

    def update(forecast: Field, truth: Field) -> State:
        found = [one.update(forecast, truth) for one in each]
        return State({name: np.stack([s[name] for s in found]) for name in found[0].arrays})

    return update


BUILDERS: Final[dict[str, Callable[[Domain, Protocol, tuple[float, ...]], Update]]] = {
    "fss": _fss,
    "spectrum": _spectrum,
    "sal": _sal,
    "structure": _structure,
    "displacement": _displacement,
    "objects": _objects,
}

Whole = Callable[[Field, Field], State]
"""The state of an ensemble ``(members, y, x)`` and the truth ``(y, x)``."""


def _loglik(protocol: Protocol) -> Whole:
    bandwidth = _setting(protocol, "loglik", "bandwidth", 0.0)
    return EnsembleLogLikelihood(bandwidth or None).update


ENSEMBLE_BUILDERS: Final[dict[str, Callable[[Protocol], Whole]]] = {"loglik": _loglik}

_CONSTRAINTS: Final[dict[str, Callable[..., constraints.Constraint]]] = {
    "not_negative": constraints.not_negative,
    "at_most": constraints.at_most,
    "within": constraints.within,
    "clausius_clapeyron": constraints.clausius_clapeyron,
}


COMPUTED: Final = frozenset(
    {"members", "ensemble", "event", "constraint", "vector", *BUILDERS, *ENSEMBLE_BUILDERS}
)
"""The statistics that ``reg evaluate`` computes field by field."""


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
