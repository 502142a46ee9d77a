"""The curves of a training show what its metrics say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wxreg.report.training_curves import draw_training, training_curves


def _lines(**more: Any) -> list[dict[str, Any]]:
    return [
        {"step": step, "loss": 4.0 / step, "terms": {"mse": 4.0 / step},
         "samples_per_second": 10.0 + step, "validation": abs(step - 3) + 1.0, **more}
        for step in range(1, 6)
    ]  # fmt: skip


def test_the_best_validation_is_marked_and_every_value_is_drawn() -> None:
    figure = training_curves(_lines(), "train-1")
    loss = figure.axes[0]
    labels = [text.get_text() for text in loss.get_legend().get_texts()]
    assert labels == ["training", "validation", "best: 1 at step 3"]
    assert list(loss.lines[0].get_ydata()) == [line["loss"] for line in _lines()]
    assert loss.get_yscale() == "log"
    assert [axis.get_ylabel() for axis in figure.axes if axis.get_visible()] == [
        "loss", "samples per second"
    ]  # fmt: skip


def test_a_composed_loss_shows_its_terms_weights_and_pull() -> None:
    parts = {"terms": {"mse": 1.0, "bounds": 0.5}, "weights": {"mse": 1.0, "bounds": 0.05},
             "gradient_shares": {"mse": 0.7, "bounds": 0.3}}  # fmt: skip
    figure = training_curves(_lines(**parts), "train-1")
    terms, shares = figure.axes[1], figure.axes[2]
    assert [t.get_text() for t in terms.get_legend().get_texts()] == ["mse × 1", "bounds × 0.05"]
    assert list(shares.lines[1].get_ydata()) == [0.3] * 5
    assert shares.get_ylim() == (0, 1)


def test_curves_lie_beside_the_metrics_and_need_some(tmp_path: Path) -> None:
    assert draw_training(tmp_path) is None
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, _lines())))
    path = draw_training(tmp_path)
    assert path == tmp_path / "curves.svg" and path.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_spoils_no_figure(tmp_path: Path, value: float) -> None:
    lines = [{**line, "validation": value} for line in _lines()]
    training_curves(lines, "train-1").savefig(tmp_path / "curves.png")
