"""What a protocol declares for a statistic: its settings, and the edges of its histograms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from wxreg.errors import UsageError
from wxreg.scores.catalogue import METRICS
from wxreg.scores.metrics import COST_LOSS, Declared
from wxreg.specs.protocol import MetricRef, Protocol
from wxreg.specs.variables import Variable

HISTOGRAMS: Final = frozenset({"crps_decomposition", "distribution", "mean_distribution"})
"""Statistics that need the edges of a histogram."""
_BINS: Final = 512
_FORWARD: Final[Mapping[str, Any]] = {"log1p": np.log1p, "sqrt": np.sqrt}
_BACK: Final[Mapping[str, Any]] = {"log1p": np.expm1, "sqrt": np.square}

KNOWN_SETTINGS: Final[Mapping[str, frozenset[str]]] = {
    "members": frozenset({"mean_of_thresholds"}),
    "ensemble": frozenset({"cost_loss"}),
    "quantile_loss": frozenset({"levels"}),
    "distribution": frozenset({"levels", "low", "high", "bins"}),
    "mean_distribution": frozenset({"levels", "low", "high", "bins"}),
    "crps_decomposition": frozenset({"low", "high", "bins"}),
    "loglik": frozenset({"bandwidth"}),
    "spread_error": frozenset({"edges"}),
    "field_vector": frozenset({"points", "order"}),
    "sal": frozenset({"wet"}),
    "objects": frozenset({"smallest", "gap", "reach_km", "intensity_scale", "least_interest"}),
    "displacement": frozenset({"block"}),
    "initiation": frozenset({"block", "tolerance"}),
    "climate": frozenset({"wet"}),
}
"""The settings that the metrics of each statistic may have; of the others, none."""


def setting(
    protocol: Protocol, statistic: str, name: str, default: Any, variable: str | None = None
) -> Any:
    """A setting of any metric of a statistic that is computed for the variable."""
    found = (ref.settings[name] for ref in _refs(protocol, statistic, variable)
             if name in ref.settings)  # fmt: skip
    return next(found, default)


def _refs(protocol: Protocol, statistic: str, variable: str | None) -> Iterator[MetricRef]:
    for ref in protocol.metrics:
        known = METRICS.get(ref.id)
        named = ref.variables or protocol.variables
        if known and known.statistic == statistic and variable in (None, *named):
            yield ref


def declared(protocol: Protocol, statistic: str, variable: Variable | None) -> Declared:
    """What the finishing steps of a statistic are given."""
    name = variable.id if variable else None
    edges: tuple[float, ...] = ()
    if variable is not None and statistic in HISTOGRAMS:
        edges = histogram_edges(protocol, statistic, variable)
    return Declared(
        edges=edges,
        levels=tuple(setting(protocol, statistic, "levels", (0.5,), name)),
        cost_loss=tuple(setting(protocol, "ensemble", "cost_loss", COST_LOSS, name)),
    )


def histogram_edges(protocol: Protocol, statistic: str, variable: Variable) -> tuple[float, ...]:
    """Edges over the range of a variable, evenly spaced in its transform.

    The settings ``low``, ``high`` and ``bins`` go before what the lexicon says.
    """
    low = setting(protocol, statistic, "low", variable.range[0], variable.id)
    high = setting(protocol, statistic, "high", variable.range[1], variable.id)
    bins = setting(protocol, statistic, "bins", _BINS, variable.id)
    if low is None or high is None or not low < high or bins < 1:
        raise UsageError(
            "REG-250",
            f"the histogram of {variable.id} needs a low and a high end",
            hint=f"give the metrics of {statistic} the settings low and high (in {variable.units})",
        )
    forward, back = _FORWARD.get(variable.transform), _BACK.get(variable.transform)
    if forward is None or back is None or low < 0:
        return tuple(np.linspace(low, high, bins + 1).tolist())
    return tuple(back(np.linspace(forward(low), forward(high), bins + 1)).tolist())
