"""Forecasts and nowcasts learn something real: trained, sampled and scored by the real commands.

Each entry is trained at mini scale with the default seed and judged on the held-out test split.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from forecast_lab import LONGEST_MINUTES, Lab, make_lab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ONE_HOUR = ("t2m", "u10", "v10", "refc")
FORECASTS = ("aurora-hrrr-v1", "ddpm-hrrr-v1")
NOWCASTS = ("nowcastnet-sevir-v1", "convlstm-sevir-v1")
ENSEMBLE = "ddpm-hrrr-v1"
ENTIRE = "all"
HOW = {
    "hrrr": ("--baseline", "persistence", "--baseline", "damped-persistence"),
    "sevir": ("--limit", "102"),
}
"""All hours of the split; of the many frames of an event about six, with the entry's baseline."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, repository: Path, reg_command: list[str]) -> Lab:
    return make_lab(tmp_path_factory.mktemp("lab"), repository, reg_command)


@pytest.fixture(scope="module")
def scores(lab: Lab) -> dict[str, dict[str, Any]]:
    """Each evaluation is made when it is first asked for."""
    return {}


def evaluated(lab: Lab, scores: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    if name not in scores:
        scores[name] = lab.evaluate(name, *HOW["hrrr" if "hrrr" in name else "sevir"])
    return scores[name]


def compared(document: dict[str, Any], metric: str, variable: str, baseline: str) -> dict[str, Any]:
    """The paired comparison over all cells and leads together: model less baseline."""
    rows = [
        row
        for row in document["comparisons"]
        if (row["metric"], row["variable"], row["baseline"]) == (metric, variable, baseline)
        and row["bin"] == ENTIRE
    ]
    (row,) = [row for row in rows if row["lead"] is None] or rows
    return row


def score(document: dict[str, Any], metric: str, variable: str) -> float:
    (row,) = [
        row
        for row in document["scores"]
        if (row["metric"], row["variable"], row["baseline"]) == (metric, variable, None)
        and row["bin"] == ENTIRE
    ]
    return float(row["value"])


def error_of(name: str) -> str:
    """The RMSE of a forecast; of an ensemble, that of its mean."""
    return "ensemble_rmse" if name == ENSEMBLE else "rmse"


@pytest.mark.parametrize("name", [*FORECASTS, *NOWCASTS, "radar-unet-sevir-v1"])
def test_an_entry_trains_within_two_minutes_on_two_cores(lab: Lab, name: str) -> None:
    training = lab.train(name)
    assert training.document["state"] == "finished"
    assert training.minutes <= LONGEST_MINUTES


@pytest.mark.parametrize("variable", ONE_HOUR)
@pytest.mark.parametrize("name", FORECASTS)
def test_a_forecast_is_a_tenth_better_than_persistence(lab, scores, name, variable) -> None:
    row = compared(evaluated(lab, scores, name), error_of(name), variable, "persistence")
    assert row["difference"] <= -0.1 * row["baseline_value"]
    assert row["high"] < 0


@pytest.mark.parametrize("variable", ONE_HOUR)
@pytest.mark.parametrize("name", FORECASTS)
def test_a_forecast_is_better_than_damped_persistence(lab, scores, name, variable) -> None:
    row = compared(evaluated(lab, scores, name), error_of(name), variable, "damped-persistence")
    assert row["difference"] < 0
    assert row["high"] < 0


@pytest.mark.parametrize("name", NOWCASTS)
def test_a_nowcast_is_a_tenth_better_than_persistence(lab, scores, name) -> None:
    row = compared(evaluated(lab, scores, name), "rmse", "vil", "persistence")
    assert row["difference"] <= -0.1 * row["baseline_value"]
    assert row["high"] < 0


def test_radar_from_satellite_is_better_than_the_training_mean(lab, scores) -> None:
    row = compared(evaluated(lab, scores, "radar-unet-sevir-v1"), "rmse", "vil", "climatology")
    assert row["high"] < 0


@pytest.mark.parametrize("variable", ONE_HOUR)
def test_the_ensemble_spreads_as_far_as_it_errs(lab, scores, variable) -> None:
    assert 0.5 < score(evaluated(lab, scores, ENSEMBLE), "spread_skill", variable) < 1.5


def test_the_ensemble_listens_to_its_conditioning(lab: Lab) -> None:
    """The same members drawn for the weather of another time are at least a fifth worse."""
    right, shuffled = shuffled_crps(lab, ENSEMBLE)
    for place, variable in enumerate(ONE_HOUR):
        assert shuffled[place] >= 1.2 * right[place], variable


def shuffled_crps(lab: Lab, name: str) -> tuple[list[float], list[float]]:
    """The fair CRPS of each of the variables, with its own inputs and with those of others."""
    from wxreg.data.batches import BatchSource
    from wxreg.library.loading import Library
    from wxreg.models.noise import MemberNoise
    from wxreg.resolve.request import Request
    from wxreg.resolve.resolver import resolve
    from wxreg.runs.checkpoints import open_checkpoint
    from wxreg.runs.stores import loader_settings, ready_stores

    library = Library(lab.root)
    plan: Any = resolve(library, Request(model=name, task="sample")).plan
    checkpoint = Path(lab.train(name).document["checkpoint"]["path"])
    forecaster = open_checkpoint(checkpoint, dict(plan.sampling.sampler), None).forecaster.eval()
    stores = ready_stores(library, plan.inputs, plan.targets)
    periods = plan.starts.periods
    source = BatchSource(loader_settings(plan, stores, plan.leads, periods=periods, truth=True))
    count = 16
    batch = source.batch(torch.linspace(0, len(source) - 1, count).round().long().numpy())
    order = torch.arange(count).roll(5)
    misled = replace(batch, inputs=batch.inputs[order], input_mask=batch.input_mask[order])
    found = []
    for given in (batch, misled):
        with torch.inference_mode():
            drawn = forecaster.sample(given, 8, MemberNoise(0, batch.time.tolist(), 8))
        found.append(fair_crps(drawn[:, :, 0], batch.target[:, 0]))
    names = [channel.name for channel in forecaster.blueprint.targets]
    places = [names.index(variable) for variable in ONE_HOUR]
    right, shuffled = ([float(one[place]) for place in places] for one in found)
    return right, shuffled


def fair_crps(members: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """``(B, M, D, Y, X)`` against ``(B, D, Y, X)``: one number for each of ``D``."""
    count = members.shape[1]
    ordered = members.sort(dim=1).values
    weights = (2 * torch.arange(1, count + 1) - count - 1).reshape(1, -1, 1, 1, 1)
    spread = (ordered * weights).sum(dim=1) / (count * (count - 1))
    return ((members - truth[:, None]).abs().mean(dim=1) - spread).mean(dim=(0, 2, 3))
