"""How a training went: losses, their parts and who pulls, the speed, against the step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wxreg.artifacts.sealing import writing_file
from wxreg.report.colours import LINES

Line = Mapping[str, Any]
FILE = "curves.svg"
_FEW = 30
"""Up to this many points are marked."""


def draw_training(folder: Path) -> Path | None:
    """Draw the metrics of a run beside them; nothing where it wrote none."""
    metrics = folder / "metrics.jsonl"
    if not metrics.is_file():
        return None
    lines = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    if not lines:
        return None
    path = folder / FILE
    with writing_file(path) as aside:
        training_curves(lines, folder.name).savefig(aside, format="svg", metadata={"Date": None})
    return path


def training_curves(lines: Sequence[Line], title: str) -> Any:
    """One panel each for the loss, its parts, their gradient shares and the speed."""
    from matplotlib.figure import Figure

    drawn = [_loss, _speed]
    if any(len(line.get("terms", {})) > 1 for line in lines):
        drawn.insert(1, _terms)
    if any(line.get("gradient_shares") for line in lines):
        drawn.insert(2, _shares)
    figure = Figure(figsize=(5.0 * min(2, len(drawn)), 3.2 * -(-len(drawn) // 2)),
                    layout="constrained")  # fmt: skip
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(-(-len(drawn) // 2), 2, squeeze=False).ravel()
    for axis, draw in zip(axes, drawn, strict=False):
        axis.grid(color="0.92")
        axis.set_axisbelow(True)
        axis.tick_params(labelsize=8)
        axis.set_xlabel("optimizer step", fontsize=8)
        draw(axis, lines)
    for axis in axes[len(drawn) :]:
        axis.set_visible(False)
    return figure


def _loss(axis: Any, lines: Sequence[Line]) -> None:
    _curve(axis, [(line["step"], line["loss"]) for line in lines], "training", LINES[0])
    held_out = [(line["step"], line["validation"]) for line in lines if "validation" in line]
    _curve(axis, held_out, "validation", LINES[1])
    finite = [point for point in held_out if point[1] == point[1]]
    if finite:
        step, best = min(finite, key=lambda point: point[1])
        axis.plot(step, best, "o", markersize=9, markerfacecolor="none", color=LINES[1],
                  label=f"best: {best:.4g} at step {step}")  # fmt: skip
    _labelled(axis, "loss", [line["loss"] for line in lines])


def _terms(axis: Any, lines: Sequence[Line]) -> None:
    """The unweighted parts, each labelled with its weight."""
    weights: dict[str, float] = {}
    for line in lines:
        weights |= line.get("weights", {})
    for number, name in enumerate(_names(lines, "terms")):
        points = [(line["step"], line["terms"][name]) for line in lines if name in line["terms"]]
        label = f"{name} × {weights[name]:g}" if name in weights else name
        _curve(axis, points, label, LINES[number % len(LINES)])
    values = [value for line in lines for value in line["terms"].values()]
    _labelled(axis, "loss terms, before their weights", values)


def _shares(axis: Any, lines: Sequence[Line]) -> None:
    measured = [line for line in lines if line.get("gradient_shares")]
    for number, name in enumerate(_names(measured, "gradient_shares")):
        points = [(line["step"], line["gradient_shares"].get(name, 0.0)) for line in measured]
        _curve(axis, points, name, LINES[number % len(LINES)])
    axis.set_ylim(0, 1)
    axis.set_ylabel("share of the gradient", fontsize=8)
    axis.legend(fontsize=7)


def _speed(axis: Any, lines: Sequence[Line]) -> None:
    _curve(axis, [(line["step"], line["samples_per_second"]) for line in lines], "", LINES[2])
    axis.set_ylim(bottom=0)
    axis.set_ylabel("samples per second", fontsize=8)


def _curve(axis: Any, points: Sequence[tuple[int, float]], label: str, colour: str) -> None:
    if points:
        marker = "o" if len(points) <= _FEW else ""
        steps, values = zip(*points, strict=True)
        axis.plot(steps, values, marker=marker, markersize=3, color=colour, label=label)


def _labelled(axis: Any, quantity: str, values: Sequence[float]) -> None:
    """A logarithmic axis where all values allow it."""
    if values and min(values) > 0:
        axis.set_yscale("log")
    axis.set_ylabel(quantity, fontsize=8)
    axis.legend(fontsize=7)


def _names(lines: Sequence[Line], key: str) -> list[str]:
    return list(dict.fromkeys(name for line in lines for name in line.get(key, {})))
