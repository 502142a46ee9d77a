"""Figures of probabilities: reliability with consistency bars, and rank histograms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.report.colours import LINES
from wxreg.report.panels import panels
from wxreg.report.states import States, merged, names_of
from wxreg.runs.scoring.keys import MODEL
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.categorical import ratio
from wxreg.scores.spread_error import spread_curve
from wxreg.specs.variables import Variable


def reliability(states: States, scoring: Scoring, lexicon: Mapping[str, Variable]) -> Any | None:
    """Observed frequency by forecast probability, for every variable and threshold."""
    tables = list(tables_of(states, scoring))
    if not tables:
        return None
    figure, axes = panels(len(tables), 3.4)
    for axis, (channel, threshold, table) in zip(axes, tables, strict=True):
        units = lexicon[channel.partition("@")[0]].units
        axis.set_title(f"{channel} ≥ {threshold:g} {units}", fontsize=9)
        _diagram(axis, table)
    return figure


def ranks(states: States, scoring: Scoring) -> Any | None:
    """How often the truth takes each rank among the members; flat is calibrated."""
    found = []
    for channel in names_of(states, "ensemble"):
        state = merged(states, MODEL, "ensemble", channel, scoring.bin_atoms["all"])
        counts = state["ranks"]
        if len(counts) > 2 and counts.sum() > 0:
            found.append((channel, counts / counts.sum(), int(state["count"])))
    if not found:
        return None
    figure, axes = panels(len(found), 2.6)
    for axis, (channel, shares, cases) in zip(axes, found, strict=True):
        axis.bar(np.arange(len(shares)), shares, color=LINES[0], width=0.9)
        axis.axhline(1 / len(shares), color=LINES[1], linewidth=1.2, linestyle="--")
        axis.set_title(f"{channel}, {cases:,} cells", fontsize=9)
        axis.set_xticks(np.arange(0, len(shares), -(-len(shares) // 8)))
        axis.set_xlabel("rank of the truth", fontsize=8)
        axis.set_ylabel("share", fontsize=8)
    return figure


def tables_of(states: States, scoring: Scoring) -> Iterator[tuple[str, float, NDArray[np.int64]]]:
    """``(channel, threshold, count table)`` of every event that happened, for an ensemble."""
    for channel in names_of(states, "ensemble"):
        state = merged(states, MODEL, "ensemble", channel, scoring.bin_atoms["all"])
        for threshold, table in zip(scoring.thresholds(channel), state["table"], strict=True):
            if len(table) > 2 and table.sum() and table[:, 1].sum():
                yield channel, threshold, table


def _diagram(axis: Any, table: NDArray[np.int64]) -> None:
    """The curve, the 5–95 % consistency bars of a reliable forecast, and the counts below."""
    size = len(table) - 1
    probability = np.arange(size + 1) / size
    cases = table.sum(-1)
    low, high = consistency(table)
    axis.plot([0, 1], [0, 1], color="0.5", linewidth=1)
    base = table[:, 1].sum() / table.sum()
    axis.axhline(base, color="0.6", linewidth=0.8, linestyle=":")
    axis.vlines(probability, low, high, color="0.65", linewidth=4, alpha=0.7)
    axis.plot(probability, ratio(table[:, 1], cases), "o-", color=LINES[0], markersize=4)
    axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axis.set_xlabel("forecast probability", fontsize=8)
    axis.set_ylabel("observed frequency", fontsize=8)
    inset = axis.inset_axes((0.04, 0.7, 0.34, 0.24))
    inset.bar(probability, np.maximum(cases, 0.5), width=0.8 / size, color="0.45")
    inset.set_yscale("log")
    inset.set_title(f"{cases.sum():,} cases (log)", fontsize=7, pad=2)
    inset.set_xticks([])
    inset.tick_params(which="both", left=False, labelleft=False)


def consistency(table: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where 90 % of observed frequencies would lie if the probabilities were right.

    Cells are taken as independent, so the bars are too short where fields are smooth.
    """
    from scipy.stats import binom

    cases = table.sum(-1)
    probability = np.arange(len(table)) / (len(table) - 1)
    ends = [ratio(binom.ppf(q, cases, probability), cases) for q in (0.05, 0.95)]
    return ends[0], ends[1]


def error_by_spread(
    states: States, scoring: Scoring, lexicon: Mapping[str, Variable]
) -> Any | None:
    """The error of the ensemble mean in bins of its spread; on the diagonal it is calibrated."""
    found = []
    for channel in names_of(states, "spread_error"):
        everywhere = scoring.bin_atoms["all"]
        curve = spread_curve(merged(states, MODEL, "spread_error", channel, everywhere))
        if (curve.points > 0).sum() > 1:
            found.append((channel, curve))
    if not found:
        return None
    figure, axes = panels(len(found), 3.0)
    for axis, (channel, curve) in zip(axes, found, strict=True):
        units = lexicon[channel.partition("@")[0]].units
        top = float(np.nanmax([curve.spread, curve.error])) * 1.05
        share = curve.points / curve.points.sum()
        axis.plot([0, top], [0, top], color="0.5", linewidth=1)
        axis.plot(curve.spread, curve.error, "-", color=LINES[0], linewidth=1)
        axis.scatter(curve.spread, curve.error, s=6 + 150 * share, color=LINES[0])
        axis.set(xlim=(0, top), ylim=(0, top))
        axis.set_title(channel, fontsize=9)
        axis.set_xlabel(f"spread ({units})", fontsize=8)
        axis.set_ylabel(f"RMSE of the mean ({units})", fontsize=8)
    return figure
