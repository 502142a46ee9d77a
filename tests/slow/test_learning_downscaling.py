"""Downscaling learns something real: trained, sampled and scored by the real commands.

Each entry is trained at mini scale with the default seed and judged on the held-out test split.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from forecast_lab import LONGEST_MINUTES, Lab, make_lab
from numpy.typing import NDArray

from wxreg.models.noise import MemberNoise
from wxreg.runs.checkpoints import open_checkpoint
from wxreg.scores.ensemble import EnsembleScores
from wxreg.scores.metrics import finish
from wxreg.scores.significance import paired_difference
from wxreg.scores.spectra import Spectrum
from wxreg.scores.states import State, merge_all

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

DAYS = ("precip_day", "tmax_day")
HOURS = ("precip_1h", "precip_3h", "precip_6h")
TEACHER, STUDENT = "corrdiff-era5-v1", "corrdiff-fast-era5-v1"
TILED = "harpnet-conus404-v1"
SHARP = [
    *(("unet-era5-v1", one) for one in DAYS),
    *((TILED, one) for one in HOURS),
]
ENSEMBLES = [(name, variable) for name in (TEACHER, STUDENT, "sr3-era5-v1") for variable in DAYS]
INITS = "8"
"""Days of the test split that ensembles are drawn for, evenly spread."""
BLOCK = {"days": 3, "hours": 12}
"""How many times in a row are drawn together by the bootstrap."""
FINEST = 2
"""The smallest scales: the half of the wavenumbers that the coarse input cannot hold."""

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, repository: Path, reg_command: list[str]) -> Lab:
    root = tmp_path_factory.mktemp("lab")
    return make_lab(root, repository, reg_command, datasets=("conus404", "era5"))


@pytest.fixture(scope="module")
def forecast_of(lab: Lab) -> Callable[[str], xr.Dataset]:
    """The forecast of an entry or a baseline, made when it is first asked for."""

    @cache
    def make(name: str) -> xr.Dataset:
        limit = () if name.startswith(("unet", "harpnet")) else ("--limit", INITS)
        if name == STUDENT:
            lab.train(TEACHER)
        if name != "bilinear":
            lab.train(name)
        document = lab.reg("sample", name, *limit)
        return xr.open_zarr(document["forecast"]["path"], consolidated=False)

    return make


def truth_of(lab: Lab, forecast: xr.Dataset, variable: str) -> Floats:
    """What came to pass at the forecast's times."""
    view = "daily" if variable in DAYS else "fine"
    store = lab.root / "data/prepared/conus404" / f"mini-1-{view}.zarr"
    with xr.open_zarr(store, consolidated=False) as opened:
        return np.asarray(opened[variable].sel(time=forecast.init_time).values)


def interpolated(lab: Lab, forecast: xr.Dataset, variable: str) -> Floats:
    """Bilinear interpolation of the coarse input, by the baseline's own code."""
    from wxreg.models.baselines.interpolation import interpolate_real

    version, view = ("era5", "daily") if variable in DAYS else ("conus404", "coarse")
    store = lab.root / f"data/prepared/{version}/mini-1-{view}.zarr"
    with xr.open_zarr(store, consolidated=False) as opened:
        coarse = torch.from_numpy(opened[variable].sel(time=forecast.init_time).values)
    factor = forecast.sizes["x"] // coarse.shape[-1]
    return np.asarray(interpolate_real(coarse[:, None], factor)[:, 0].numpy())


def members_of(forecast: xr.Dataset, variable: str) -> Floats:
    """``(days, members, y, x)``."""
    return np.asarray(forecast[variable].isel(lead_time=0).values)


def states(members: Floats, truth: Floats) -> list[State]:
    """Whole ensemble scores of each day that has a truth."""
    known = np.isfinite(truth).all(axis=(1, 2)) & np.isfinite(members).all(axis=(1, 2, 3))
    scored = EnsembleScores()
    days = zip(members[known], truth[known], strict=True)
    return [scored.update(np.ascontiguousarray(drawn), real).pool([0]) for drawn, real in days]


def blocks(times: list[State], variable: str) -> list[State]:
    """Neighbouring times as one, since their weather is alike."""
    length = BLOCK["days" if variable in DAYS else "hours"]
    return [merge_all(times[first : first + length]) for first in range(0, len(times), length)]


def score(days: list[State], metric: str) -> float:
    return float(np.asarray(finish(metric, merge_all(days))))


def finest_distance(members: Floats, truth: Floats) -> float:
    """How far the power of the smallest scales is from the truth's, in decibels."""
    spectrum = Spectrum(1.0, 1.0)
    power = [
        np.mean([spectrum.power(np.ascontiguousarray(field)) for field in fields], axis=0)
        for fields in (members.reshape(-1, *truth.shape[1:]), truth)
    ]
    first = len(power[0]) // FINEST
    return float(np.abs(10 * np.log10(power[0][first:] / power[1][first:])).mean())


@pytest.mark.parametrize("name", ["unet-era5-v1", TILED, TEACHER, STUDENT, "sr3-era5-v1"])
def test_an_entry_trains_within_two_minutes_on_two_cores(lab: Lab, name: str) -> None:
    if name == STUDENT:
        lab.train(TEACHER)
    training = lab.train(name)
    assert training.document["state"] == "finished"
    assert training.minutes <= LONGEST_MINUTES


@pytest.mark.parametrize(("name", "variable"), SHARP)
def test_a_downscaler_is_sharper_than_interpolation(lab, forecast_of, name, variable) -> None:
    forecast = forecast_of(name)
    truth = truth_of(lab, forecast, variable)
    shown = states(members_of(forecast, variable), truth)
    plain = states(interpolated(lab, forecast, variable)[:, None], truth)
    better = paired_difference(
        blocks(shown, variable),
        blocks(plain, variable),
        lambda state: float(np.asarray(finish("rmse", state))),
    )
    assert better.high < 0


@pytest.mark.parametrize("variable", HOURS)
def test_stitched_tiles_show_no_seam(lab: Lab, forecast_of: Any, variable: str) -> None:
    """What tiles change jumps nowhere by a tenth of how much rain differs between two cells."""
    tiled = forecast_of(TILED)
    entire = ("--set", "sampling.tile=null", "--set", "sampling.overlap=0")
    document = lab.reg("sample", TILED, *entire, "--limit", INITS)
    whole = xr.open_zarr(document["forecast"]["path"], consolidated=False)
    there = members_of(tiled.sel(init_time=whole.init_time), variable)
    change = there - members_of(whole, variable)
    assert np.any(change)
    jumps = np.abs(np.diff(change, axis=-1)).mean(axis=(0, 1, 2))
    natural = np.abs(np.diff(there, axis=-1)).mean()
    assert jumps.max() < 0.1 * natural


@pytest.mark.parametrize(("name", "variable"), ENSEMBLES)
def test_an_ensemble_is_better_than_interpolation_in_crps(lab, forecast_of, name, variable) -> None:
    forecast = forecast_of(name)
    truth = truth_of(lab, forecast, variable)
    drawn = blocks(states(members_of(forecast, variable), truth), variable)
    plain = blocks(states(interpolated(lab, forecast, variable)[:, None], truth), variable)
    better = paired_difference(
        drawn, plain, lambda state: float(np.asarray(finish("crps_ensemble", state)))
    )
    assert better.high < 0


@pytest.mark.parametrize("variable", DAYS)
def test_a_diffusion_has_the_small_scales_that_a_regression_lacks(
    lab: Lab, forecast_of: Any, variable: str
) -> None:
    drawn, smooth = forecast_of(TEACHER), forecast_of("unet-era5-v1")
    smooth = smooth.sel(init_time=drawn.init_time)
    truth = truth_of(lab, drawn, variable)
    distances = [
        finest_distance(members_of(forecast, variable), truth) for forecast in (drawn, smooth)
    ]
    assert distances[0] < distances[1]


@pytest.mark.parametrize(("name", "variable"), ENSEMBLES)
def test_an_ensemble_listens_to_its_conditioning(lab, forecast_of, name, variable) -> None:
    """The members that were drawn for the input of other days are at least a fifth worse."""
    forecast = forecast_of(name)
    truth = truth_of(lab, forecast, variable)
    members = members_of(forecast, variable)
    misled = np.roll(members, len(members) // 2, axis=0)
    right, wrong = (score(states(drawn, truth), "crps") for drawn in (members, misled))
    assert wrong >= 1.2 * right


@pytest.mark.parametrize(("name", "variable"), ENSEMBLES)
def test_an_ensemble_spreads_as_far_as_it_errs(lab, forecast_of, name, variable) -> None:
    forecast = forecast_of(name)
    truth = truth_of(lab, forecast, variable)
    assert 0.5 < score(states(members_of(forecast, variable), truth), "spread_skill") < 1.5


@pytest.mark.parametrize("variable", DAYS)
def test_the_student_is_hardly_worse_than_its_teacher(lab, forecast_of, variable) -> None:
    found = []
    for name in (STUDENT, TEACHER):
        forecast = forecast_of(name)
        truth = truth_of(lab, forecast, variable)
        found.append(score(states(members_of(forecast, variable), truth), "crps"))
    assert found[0] <= 1.1 * found[1]


def test_the_student_is_ten_times_faster_in_at_most_four_steps(lab: Lab) -> None:
    lab.train(TEACHER)
    settings = lab.reg("show", STUDENT)
    spent = [_seconds_of_members(lab, name) for name in (STUDENT, TEACHER)]
    assert "student_steps" in str(settings)
    assert spent[1] >= 10 * spent[0]


def test_the_run_of_the_student_names_the_checkpoint_of_its_teacher(lab: Lab) -> None:
    teacher = lab.train(TEACHER).document["checkpoint"]["sha256"]
    checkpoint = lab.train(STUDENT).document["checkpoint"]["path"]
    assert teacher in str(lab.reg("whence", checkpoint))


def _seconds_of_members(lab: Lab, name: str, members: int = 8) -> float:
    """Processor seconds that the members of one day take."""
    from wxreg.data.batches import BatchSource
    from wxreg.library.loading import Library
    from wxreg.resolve.request import Request
    from wxreg.resolve.resolver import resolve
    from wxreg.runs.stores import loader_settings, ready_stores

    library = Library(lab.root)
    plan: Any = resolve(library, Request(model=name, task="sample")).plan
    path = Path(lab.train(name).document["checkpoint"]["path"])
    forecaster = open_checkpoint(path, dict(plan.sampling.sampler), None).forecaster.eval()
    inputs, targets = ready_stores(library, plan.inputs, plan.targets)
    source = BatchSource(
        loader_settings(
            plan, (inputs, targets), plan.leads, periods=plan.starts.periods, truth=False
        )
    )
    batch = source.batch([0])
    noise = MemberNoise(0, batch.time.tolist(), members)
    with torch.inference_mode():
        began = time.process_time()
        forecaster.sample(batch, members, noise)
        return time.process_time() - began
