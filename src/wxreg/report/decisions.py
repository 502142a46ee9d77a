"""Figures of what a forecast is good for: ROC curves, economic value, FSS and CSI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.leadtime import Duration
from wxreg.report.colours import LINES
from wxreg.report.panels import lead_axis, panels
from wxreg.report.probability import tables_of
from wxreg.report.states import States
from wxreg.runs.scoring.files import ScoresFile
from wxreg.runs.scoring.rows import ScoreRow
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.metrics import COST_LOSS
from wxreg.scores.tables import economic_value, roc_area, roc_curve
from wxreg.specs.variables import Variable

Lexicon = Mapping[str, Variable]
_Place = tuple[str, float]


def roc(states: States, scoring: Scoring, lexicon: Lexicon) -> Any | None:
    """POD against POFD of "at least so many members", one curve a threshold."""
    groups = _by_channel(states, scoring)
    if not groups:
        return None
    figure, axes = panels(len(groups), 3.6)
    for axis, (channel, tables) in zip(axes, groups.items(), strict=True):
        axis.plot([0, 1], [0, 1], color="0.5", linewidth=1)
        for number, (threshold, table) in enumerate(tables):
            pofd, pod = roc_curve(table)
            name = f"≥ {threshold:g} {_units(lexicon, channel)}, area {roc_area(table):.2f}"
            axis.plot(pofd, pod, "o-", markersize=3, color=LINES[number % 7], label=name)
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axis.set_title(channel, fontsize=9)
        axis.set_xlabel("probability of false detection", fontsize=8)
        axis.set_ylabel("probability of detection", fontsize=8)
        axis.legend(fontsize=7, loc="lower right")
    return figure


def value(states: States, scoring: Scoring, lexicon: Lexicon) -> Any | None:
    """Relative economic value by cost/loss ratio, one curve a threshold."""
    groups = _by_channel(states, scoring)
    if not groups:
        return None
    figure, axes = panels(len(groups), 3.0)
    for axis, (channel, tables) in zip(axes, groups.items(), strict=True):
        for number, (threshold, table) in enumerate(tables):
            worth = economic_value(table, np.array(COST_LOSS))
            axis.plot(COST_LOSS, worth, "-", color=LINES[number % 7],
                      label=f"≥ {threshold:g} {_units(lexicon, channel)}")  # fmt: skip
        axis.axhline(0, color="0.5", linewidth=1)
        axis.set(xlim=(0, 1), ylim=(-0.05, 1.0))
        axis.set_title(channel, fontsize=9)
        axis.set_xlabel("cost / loss", fontsize=8)
        axis.set_ylabel("relative economic value", fontsize=8)
        axis.legend(fontsize=7)
    return figure


def fss_by_scale(scores: ScoresFile, lexicon: Lexicon, km: float) -> Any | None:
    """FSS against the width of the neighbourhood, all leads together, with the baselines."""
    sources = _sources(scores, "fss", over_leads=True)
    places = sorted({place for rows in sources.values() for place in rows})
    if not places:
        return None
    figure, axes = panels(len(places), 2.8)
    for axis, place in zip(axes, places, strict=True):
        for number, (name, rows) in enumerate(sources.items()):
            mine = sorted(rows.get(place, ()), key=lambda row: row.scale or 0)
            _line(axis, [km * (row.scale or 0) for row in mine], mine, name, number)
        _named(axis, place, lexicon)
        axis.set(ylim=(0, 1))
        axis.set_xlabel("width of the neighbourhood (km)", fontsize=8)
        axis.set_ylabel("fractions skill score", fontsize=8)
    axes[0].legend(fontsize=7)
    return figure


def csi_by_lead(scores: ScoresFile, lexicon: Lexicon) -> Any | None:
    """CSI of every threshold against the lead time, with the baselines."""
    sources = _sources(scores, "csi", over_leads=False)
    places = sorted({place for rows in sources.values() for place in rows})
    leads = {row.lead for rows in sources.values() for each in rows.values() for row in each}
    if not places or len(leads) < 2:
        return None
    figure, axes = panels(len(places), 2.8)
    for axis, place in zip(axes, places, strict=True):
        for number, (name, rows) in enumerate(sources.items()):
            mine = rows.get(place, [])
            hours = [Duration.parse(str(row.lead)).seconds / 3600 for row in mine]
            _line(axis, hours, mine, name, number)
        _named(axis, place, lexicon)
        axis.set_ylim(bottom=0)
        lead_axis(axis, map(str, leads))
        axis.set_ylabel("critical success index", fontsize=8)
    axes[0].legend(fontsize=7)
    return figure


def _by_channel(
    states: States, scoring: Scoring
) -> dict[str, list[tuple[float, NDArray[np.int64]]]]:
    found: dict[str, list[tuple[float, NDArray[np.int64]]]] = {}
    for channel, threshold, table in tables_of(states, scoring):
        found.setdefault(channel, []).append((threshold, table))
    return found


def _sources(
    scores: ScoresFile, metric: str, *, over_leads: bool
) -> dict[str, dict[_Place, list[ScoreRow]]]:
    """The rows of the model and of each baseline by variable and threshold."""
    each = {scores.document["model"]: scores.rows, **scores.baselines()}
    found: dict[str, dict[_Place, list[ScoreRow]]] = {}
    for name, rows in each.items():
        mine = [
            row for row in rows
            if row.metric == metric and row.bin == "all" and row.baseline is None
            and row.threshold is not None and row.value is not None
        ]  # fmt: skip
        pooled = [row for row in mine if row.lead is None] or mine
        for row in pooled if over_leads else [row for row in mine if row.lead]:
            place = (str(row.variable), float(row.threshold or 0))
            found.setdefault(name, {}).setdefault(place, []).append(row)
    return found


def _line(axis: Any, x: Sequence[float], rows: Sequence[ScoreRow], name: str, number: int) -> None:
    if not rows:
        return
    colour, style = LINES[number % 7], "-" if number == 0 else "--"
    axis.plot(x, [row.value for row in rows], style, marker="o", markersize=4, color=colour,
              label=name)  # fmt: skip
    low = [np.nan if row.low is None else row.low for row in rows]
    high = [np.nan if row.high is None else row.high for row in rows]
    axis.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def _named(axis: Any, place: _Place, lexicon: Lexicon) -> None:
    variable, threshold = place
    axis.set_title(f"{variable} ≥ {threshold:g} {_units(lexicon, variable)}", fontsize=9)


def _units(lexicon: Lexicon, channel: str) -> str:
    return lexicon[channel.partition("@")[0]].units
