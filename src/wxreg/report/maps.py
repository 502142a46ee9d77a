"""Maps of one case: input, truth and forecast, and what the ensemble says."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.report.case import Case, Field, moment
from wxreg.report.colours import LINES, colouring
from wxreg.runs.scoring.rows import lead_text

_FEW = 2
_WIDE = 0.6
"""Domains flatter than this are stacked, and drawn larger."""
_AROUND, _BETWEEN = 1.0, 0.4
"""Inches for the titles of a figure, and of each of its panels."""


def triplet(case: Case) -> Any:
    """The last input, the truth and the forecast in the same colours."""
    panels = [("truth", case.truth), ("forecast, member 1", case.members[0])]
    if case.last is not None:
        panels.insert(0, ("last input", case.last))
    return _row(case, panels, colouring(case.variable, [field for _, field in panels]))


def sequence(fields: Sequence[tuple[Case, Field]]) -> Any | None:
    """Truth above forecast, one column a lead."""
    if len(fields) < _FEW:
        return None
    from matplotlib.figure import Figure

    case = fields[0][0]
    style = colouring(case.variable, [one.truth for one, _ in fields])
    figure = Figure(figsize=(2.5 * len(fields) + 1.2, 5.6), layout="constrained")
    axes = figure.subplots(2, len(fields), sharex=True, sharey=True)
    for column, (one, forecast) in enumerate(fields):
        image = _image(one, axes[0, column], f"truth, {lead_text(one.lead)}", one.truth, style)
        _image(one, axes[1, column], f"forecast, {lead_text(one.lead)}", forecast, style)
        axes[1, column].set_xlabel(case.axes[0])
    for axis in axes[:, 0]:
        axis.set_ylabel(case.axes[1])
    figure.suptitle(f"{case.title}\ninit {moment(case.init)}", fontsize=10)
    _projection(figure, case)
    _bar(figure, image, list(axes.ravel()), case)
    return figure


def mean_and_spread(case: Case) -> Any | None:
    """The ensemble mean beside its spread."""
    if len(case.members) < _FEW:
        return None
    from matplotlib.colors import Normalize

    mean, spread = case.members.mean(0), case.members.std(0, ddof=1)
    figure, axes = _figure(case, 3)
    shared = colouring(case.variable, [case.truth, mean])
    for axis, (name, field) in zip(axes[:2], (("truth", case.truth), ("mean", mean)), strict=True):
        image = _image(case, axis, name, field, shared)
    _bar(figure, image, axes[:2], case)
    top = float(np.nanquantile(spread, 0.998)) or 1.0
    image = _image(case, axes[2], f"spread of {len(case.members)} members", spread,
                   {"cmap": "cividis", "norm": Normalize(0, top)})  # fmt: skip
    figure.colorbar(image, ax=axes[2], label=case.variable.units, shrink=0.8,
                    extend="max")  # fmt: skip
    return figure


def exceedance(case: Case) -> Any | None:
    """How many members reach the threshold; the truth as an outline."""
    if len(case.members) < _FEW or case.threshold is None:
        return None
    from matplotlib.colors import BoundaryNorm

    probability = (case.members >= case.threshold).mean(0)
    figure, axes = _figure(case, 1)
    steps = np.linspace(0, 1, 11)
    image = _image(case, axes[0], f"probability of ≥ {_threshold(case)}", probability,
                   {"cmap": "magma_r", "norm": BoundaryNorm(steps, 256)})  # fmt: skip
    _outline(case, axes[0], case.truth, LINES[5], 1.6)
    _legend(axes[0], [(LINES[5], "truth")])
    figure.colorbar(image, ax=axes[0], label="share of members", shrink=0.8)
    return figure


def spaghetti(case: Case) -> Any | None:
    """The outline of every member at the threshold, and that of the truth."""
    if len(case.members) < _FEW or case.threshold is None:
        return None
    figure, axes = _figure(case, 1)
    for member in case.members:
        _outline(case, axes[0], member, LINES[0], 0.8)
    _outline(case, axes[0], case.truth, "black", 2.0)
    _frame(case, axes[0], f"outlines of ≥ {_threshold(case)}")
    _legend(axes[0], [(LINES[0], f"{len(case.members)} members"), ("black", "truth")])
    return figure


def paintball(case: Case) -> Any | None:
    """Where each member reaches the threshold, one colour a member; the truth as an outline."""
    if len(case.members) < _FEW or case.threshold is None:
        return None
    from matplotlib.colors import ListedColormap

    figure, axes = _figure(case, 1)
    palette = LINES[:6]
    for number, member in enumerate(case.members):
        reached = np.where(member >= case.threshold, 1.0, np.nan)
        axes[0].imshow(reached, extent=case.extent, alpha=0.45,
                       cmap=ListedColormap([palette[number % len(palette)]]))  # fmt: skip
    _outline(case, axes[0], case.truth, "black", 1.8)
    _frame(case, axes[0], f"each member's area of ≥ {_threshold(case)}")
    _legend(axes[0], [("black", "truth")])
    return figure


def shaded(case: Case) -> Any | None:
    """The ensemble mean, fading to grey where the members disagree."""
    if len(case.members) < _FEW:
        return None
    from matplotlib.cm import ScalarMappable

    mean, spread = case.members.mean(0), case.members.std(0, ddof=1)
    style = colouring(case.variable, [mean])
    mapped = ScalarMappable(norm=style["norm"], cmap=style["cmap"])
    top = float(np.nanquantile(spread, 0.98)) or 1.0
    doubt = np.clip(np.nan_to_num(spread / top), 0, 1)[..., None]
    colours = np.asarray(mapped.to_rgba(mean))[..., :3] * (1 - 0.85 * doubt) + 0.6 * 0.85 * doubt
    figure, axes = _figure(case, 1)
    axes[0].imshow(colours, extent=case.extent)
    _frame(case, axes[0], f"mean; grey where the spread nears {top:.3g} {case.variable.units}")
    figure.colorbar(mapped, ax=axes[0], label=case.variable.units, shrink=0.8, extend="both")
    return figure


def _threshold(case: Case) -> str:
    return f"{case.threshold:g} {case.variable.units}"


def _row(case: Case, panels: Sequence[tuple[str, Field]], style: dict[str, Any]) -> Any:
    figure, axes = _figure(case, len(panels))
    for axis, (name, field) in zip(axes, panels, strict=True):
        image = _image(case, axis, name, field, style)
    _bar(figure, image, axes, case)
    return figure


def _figure(case: Case, count: int) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    west, east, south, north = case.extent
    ratio = (north - south) / (east - west)
    width = 4.2 if ratio > _WIDE else 6.5
    height = width * min(max(ratio, 0.3), 1.5)
    down = count if ratio <= _WIDE else 1
    across = count // down
    size = (width * across + 1.2, (height + _BETWEEN) * down + _AROUND)
    figure = Figure(figsize=size, layout="constrained")
    axes = list(np.ravel(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)))
    figure.suptitle("\n".join([fill(case.title, 64), *_when(case, across)]), fontsize=10)
    for number, axis in enumerate(axes):
        axis.set_ylabel(case.axes[1] if down > 1 or number == 0 else "")
        axis.set_xlabel(case.axes[0] if down == 1 or number == count - 1 else "")
    _projection(figure, case)
    return figure, axes


def _when(case: Case, across: int) -> list[str]:
    """The times on one line where the figure is wide enough, else on two."""
    init, _, rest = case.when.partition(", lead")
    return [case.when] if across > 1 else [init, f"lead{rest}"]


def _projection(figure: Any, case: Case) -> None:
    figure.supxlabel(f"projection: {case.projection}", fontsize=8, color="0.35")


def _image(case: Case, axis: Any, name: str, field: Field, style: dict[str, Any]) -> Any:
    image = axis.imshow(field, extent=case.extent, interpolation="nearest", **style)
    _frame(case, axis, name)
    return image


def _frame(case: Case, axis: Any, name: str) -> None:
    axis.set_title(name, fontsize=10)
    axis.set_xlim(case.extent[:2])
    axis.set_ylim(case.extent[2:])
    axis.set_aspect("equal")


def _bar(figure: Any, image: Any, axes: list[Any], case: Case) -> None:
    beyond = "max" if case.variable.colours == "rain" else "both"
    figure.colorbar(image, ax=axes, label=case.variable.units, shrink=0.8, extend=beyond)


def _outline(case: Case, axis: Any, field: NDArray[Any], colour: str, width: float) -> None:
    threshold = case.threshold
    known = field[np.isfinite(field)]
    if threshold is None or not known.size or not known.min() < threshold <= known.max():
        return
    west, east, south, north = case.extent
    rows, columns = field.shape
    x = west + (np.arange(columns) + 0.5) * (east - west) / columns
    y = north - (np.arange(rows) + 0.5) * (north - south) / rows
    axis.contour(x, y, field, levels=[threshold], colors=[colour], linewidths=width)


def _legend(axis: Any, lines: list[tuple[str, str]]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, label=name) for colour, name in lines]
    axis.legend(handles=handles, loc="upper right", ncols=len(lines), fontsize=8,
                framealpha=0.85)  # fmt: skip
