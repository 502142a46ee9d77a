"""Figures of scores: errors by lead, spread and skill, spectra and the performance diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from textwrap import fill
from typing import Any

import numpy as np

from wxreg.leadtime import Duration
from wxreg.report.colours import LINES
from wxreg.report.panels import lead_axis, panels
from wxreg.runs.scoring.files import ScoresFile
from wxreg.runs.scoring.rows import ScoreRow
from wxreg.specs.variables import Variable

Lexicon = Mapping[str, Variable]
_SIDE = 0.12
"""How far apart the bars of one lead stand, in hours."""


def by_lead(scores: ScoresFile, lexicon: Lexicon, metric: str) -> Any | None:
    """One metric of every variable against the lead time, with the baselines."""
    mine = _plain(scores.rows, metric)
    names = list(dict.fromkeys((row.variable, row.level) for row in mine))
    if not names:
        return None
    others = {name: _plain(rows, metric) for name, rows in scores.baselines().items()}
    figure, axes = panels(len(names), 2.9)
    for axis, (variable, level) in zip(axes, names, strict=True):
        known = lexicon[str(variable)]
        _line(axis, _of(mine, variable, level), scores.document["model"], LINES[0], "-")
        for number, (name, rows) in enumerate(others.items(), start=1):
            _line(axis, _of(rows, variable, level), name, LINES[number % 7], "--", number)
        _label(axis, known, level, f"{metric} ({known.units})")
        lead_axis(axis, scores.document["leads"])
        axis.margins(y=0.12)
        axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
    _legend_below(figure, axes[0])
    return figure


def skill_by_lead(scores: ScoresFile, lexicon: Lexicon, metric: str) -> Any | None:
    """The skill of every variable against each baseline; above zero is better."""
    rows = [
        replace(row, value=row.skill) for row in scores.rows
        if row.metric == metric and row.bin == "all" and row.baseline and row.lead
    ]  # fmt: skip
    names = list(dict.fromkeys((row.variable, row.level) for row in rows))
    if not names:
        return None
    baselines = list(scores.baselines())
    figure, axes = panels(len(names), 2.9)
    for axis, (variable, level) in zip(axes, names, strict=True):
        axis.axhline(0, color="0.4", linewidth=1)
        for number, name in enumerate(baselines, start=1):
            mine = [row for row in _of(rows, variable, level) if row.baseline == name]
            _line(axis, mine, f"against {name}", LINES[number % len(LINES)], "-", number)
        _label(axis, lexicon[str(variable)], level, f"skill of {metric}")
        lead_axis(axis, scores.document["leads"])
        axis.margins(y=0.12)
    _legend_below(figure, axes[0])
    return figure


def _label(axis: Any, variable: Variable, level: float | None, quantity: str) -> None:
    title = variable.long_name + (f" at {level:g}" if level else "")
    axis.set_title(fill(title, 36), fontsize=9)
    axis.set_ylabel(quantity, fontsize=8)


def spread_and_error(scores: ScoresFile) -> Any | None:
    """Spread–skill ratio of every variable by lead; 1 is calibrated."""
    rows = _plain(scores.rows, "spread_skill")
    names = list(dict.fromkeys((row.variable, row.level) for row in rows))
    if not names:
        return None
    figure, axes = panels(1, 4.8, 7.5)
    axes[0].axhline(1, color="0.4", linewidth=1)
    for number, (variable, level) in enumerate(names):
        label = f"{variable}" + (f"@{level:g}" if level else "")
        _line(axes[0], _of(rows, variable, level), label, LINES[number % 7], "-", number)
    axes[0].set_ylabel("spread / RMSE of the mean")
    lead_axis(axes[0], scores.document["leads"])
    axes[0].margins(y=0.12)
    axes[0].set_ylim(bottom=0)
    axes[0].legend(fontsize=8)
    return figure


def performance(scores: ScoresFile, lexicon: Lexicon) -> Any | None:
    """POD against success ratio, with lines of equal CSI and frequency bias."""
    sources = {scores.document["model"]: scores.rows, **scores.baselines()}
    points = {name: _performance_points(rows) for name, rows in sources.items()}
    if not points[scores.document["model"]]:
        return None
    figure, axes = panels(1, 4.8, 7.5)
    _performance_grid(axes[0])
    markers = "osD^vP*"
    thresholds = sorted({key for each in points.values() for key in each})
    for number, each in enumerate(points.values()):
        for place, key in enumerate(thresholds):
            if key in each:
                axes[0].plot(*each[key], markers[place % len(markers)], markersize=8,
                             color=LINES[number % len(LINES)], markeredgecolor="white",
                             clip_on=False)  # fmt: skip
    _performance_legend(axes[0], list(points), thresholds, markers, lexicon)
    return figure


def _performance_points(rows: Sequence[ScoreRow]) -> dict[tuple[str, float], tuple[float, float]]:
    """Success ratio and POD by variable and threshold, over all leads where there are several."""
    found: dict[tuple[str, float], dict[str, float]] = {}
    for metric in ("pod", "far"):
        for row in _pooled(rows, metric):
            if row.value is not None and row.threshold is not None:
                found.setdefault((str(row.variable), row.threshold), {})[metric] = row.value
    return {key: (1 - v["far"], v["pod"]) for key, v in found.items() if len(v) == 2}


def _performance_grid(axis: Any) -> None:
    ratio, pod = np.meshgrid(np.linspace(0.01, 1, 100), np.linspace(0.01, 1, 100))
    csi = 1 / (1 / ratio + 1 / pod - 1)
    lines = axis.contour(ratio, pod, csi, levels=np.arange(0.1, 1, 0.1), colors="0.75",
                         linewidths=0.8)  # fmt: skip
    axis.clabel(lines, fmt="CSI %.1f", fontsize=7)
    for bias in (0.25, 0.5, 1, 2, 4):
        end = (1, bias) if bias <= 1 else (1 / bias, 1)
        axis.plot([0, end[0]], [0, end[1]], ":", color="0.55", linewidth=0.8)
        axis.annotate(f"bias {bias:g}", end, fontsize=7, color="0.4",
                      xytext=(3, 3), textcoords="offset points")  # fmt: skip
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.set_xlabel("success ratio (1 − FAR)")
    axis.set_ylabel("probability of detection")


def _performance_legend(
    axis: Any,
    names: list[str],
    thresholds: list[tuple[str, float]],
    markers: str,
    lexicon: Lexicon,
) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", marker="o", color=LINES[n % len(LINES)], label=name)
        for n, name in enumerate(names)
    ]
    handles += [
        Line2D([], [], linestyle="", marker=markers[n % len(markers)], color="0.4",
               label=f"{variable} ≥ {value:g} {lexicon[variable].units}")
        for n, (variable, value) in enumerate(thresholds)
    ]  # fmt: skip
    axis.legend(handles=handles, fontsize=8, loc="upper left", bbox_to_anchor=(1.12, 1))


def _plain(rows: Sequence[ScoreRow], metric: str) -> list[ScoreRow]:
    return [
        row for row in rows
        if row.metric == metric and row.bin == "all" and row.baseline is None and row.lead
    ]  # fmt: skip


def _pooled(rows: Sequence[ScoreRow], metric: str) -> list[ScoreRow]:
    mine = [r for r in rows if r.metric == metric and r.bin == "all" and r.baseline is None]
    over_all = [row for row in mine if row.lead is None]
    return over_all or mine


def _of(rows: Sequence[ScoreRow], variable: str | None, level: float | None) -> list[ScoreRow]:
    return [row for row in rows if (row.variable, row.level) == (variable, level)]


def _line(
    axis: Any, rows: list[ScoreRow], label: str, colour: str, style: str, place: int = 0
) -> None:
    """Values by lead; the band, or the bar of a single lead, is the confidence interval.

    Bars of a single lead stand side by side, by their ``place``.
    """
    known = [row for row in rows if row.value is not None and row.lead is not None]
    if not known:
        return
    hours = np.array([Duration.parse(str(row.lead)).seconds / 3600 for row in known])
    value = np.array([row.value for row in known], float)
    low = np.array([np.nan if row.low is None else row.low for row in known], float)
    high = np.array([np.nan if row.high is None else row.high for row in known], float)
    if len(known) == 1:
        reach = np.nan_to_num([value - low, high - value])
        axis.errorbar(hours + _SIDE * place, value, np.maximum(reach, 0), fmt="o", color=colour,
                      label=label, capsize=4)  # fmt: skip
        axis.set_xticks(hours)
        axis.set_xlim(hours[0] - 4 * _SIDE, hours[0] + _SIDE * (place + 4))
        return
    axis.plot(hours, value, style, marker="o", markersize=4, color=colour, label=label)
    axis.fill_between(hours, low, high, color=colour, alpha=0.18, linewidth=0)


def _legend_below(figure: Any, axis: Any) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
