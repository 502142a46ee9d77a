"""The power spectra of forecast, baselines and truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wxreg.report.colours import LINES
from wxreg.report.states import States, merged, names_of, sources_of
from wxreg.runs.scoring.keys import MODEL
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.categorical import ratio
from wxreg.specs.variables import Variable


def spectra(
    states: States, scoring: Scoring, lexicon: Mapping[str, Variable], model: str
) -> Any | None:
    """Mean power by wavelength, long waves on the left."""
    from matplotlib.figure import Figure

    channels = names_of(states, "spectrum")
    if not channels:
        return None
    figure = Figure(figsize=(4.6 * len(channels), 3.8), layout="constrained")
    for axis, channel in zip(np.ravel(figure.subplots(1, len(channels))), channels, strict=True):
        variable = lexicon[channel.partition("@")[0]]
        for number, source in enumerate(sources_of(states)):
            state = merged(states, source, "spectrum", channel)
            if not number:
                _curve(axis, scoring, state, "truth_power", "truth", "black", "-")
            name = model if source == MODEL else source
            style = "-" if source == MODEL else "--"
            _curve(axis, scoring, state, "forecast_power", name, LINES[number % 6], style)
        axis.set(xscale="log", yscale="log")
        axis.invert_xaxis()
        _wavelengths(axis)
        axis.set_title(variable.long_name, fontsize=9)
        axis.set_xlabel("wavelength (km)")
        axis.set_ylabel(f"power ({variable.units})²")
        axis.grid(color="0.92")
        axis.legend(fontsize=8)
    return figure


def _curve(
    axis: Any, scoring: Scoring, state: Any, part: str, label: str, colour: str, style: str
) -> None:
    power = ratio(state[part], state["fields"])[1:]
    wavelength = scoring.longest_km / np.arange(1, len(power) + 1)
    axis.plot(wavelength, np.where(power > 0, power, np.nan), style, color=colour, label=label)


def _wavelengths(axis: Any) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axis.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
