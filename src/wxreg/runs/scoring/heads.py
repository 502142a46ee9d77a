"""The log-likelihood of a forecast that stores the parameters of its head beside its members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.data.forecast_layout import head_planes
from wxreg.errors import IntegrityError
from wxreg.runs.scoring.bands import bands
from wxreg.runs.scoring.wanted import Read, Scoring
from wxreg.scores.binning import by_atom
from wxreg.scores.parametric import NormalHead
from wxreg.scores.states import State

STATISTIC: Final = "loglik_parametric"
Heads = Mapping[str, NormalHead]
"""By channel."""


def heads_of(outline: Mapping[str, Any], where: str) -> Heads:
    """The densities that the outline of a forecast describes."""
    try:
        told = {channel: dict(head) for channel, head in outline.get("heads", {}).items()}
        if any(head.pop("distribution") != "normal" for head in told.values()):
            raise ValueError("only normal heads are known")
        return {channel: NormalHead(**head) for channel, head in told.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            "REG-537", f"the heads of this forecast cannot be understood: {error}", where=where
        ) from error


def head_states(
    scoring: Scoring, heads: Heads, forecast: Read, truth: Read
) -> Iterator[tuple[str, str, State]]:
    """``(statistic, name, state)`` of one init and lead; channels without a head have none."""
    channels = [name for name in scoring.wanted.get(STATISTIC, ()) if name in heads]
    bins = scoring.bins(truth) if channels else None
    for channel in channels:
        assert bins is not None
        mean, deviation = (forecast(plane) for plane in head_planes(channel))
        real = scoring.cells(truth(channel))
        state = State()
        for band in bands((2 * len(mean), *real.shape)):
            stored = _stored(scoring, band, real.shape[1])
            weights = None if scoring.weights is None else scoring.weights[band]
            update = partial(
                _kept, heads[channel], mean[stored], deviation[stored], real[band], weights
            )
            state = state.merge(by_atom(bins.rows(band), update))
        yield STATISTIC, channel, state


def _stored(scoring: Scoring, band: slice, columns: int) -> tuple[slice, slice, slice]:
    """Where the scored rows of a band lie in the forecast."""
    border = scoring.protocol.border
    rows = slice(band.start + border, band.stop + border)
    return slice(None), rows, slice(border, border + columns)


def _kept(
    head: NormalHead,
    mean: NDArray[Any],
    deviation: NDArray[Any],
    real: NDArray[Any],
    weights: NDArray[np.float64] | None,
    cells: NDArray[np.bool_],
) -> State:
    return head.state(mean, deviation, np.where(cells, real, np.nan), weights)
