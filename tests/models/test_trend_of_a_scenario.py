"""Quantile mapping of the embedded CMIP6 model onto the embedded ERA5: biases go, trends stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from small_worlds import hilly_blueprint
from synthetic_weather import TinyBatch
from torch import Tensor

from wxreg.models.building import build
from wxreg.models.forecaster import Channel
from wxreg.models.noise import MemberNoise

SHAPE = (6, 11)
MONTHS = (5, 6, 7, 8)
MODEL = "CMIP6/{}/WXREG/WX-ESM1-LR/{}/r1i1p1f1/day/{}/gn/v20231121"
RAIN, WARMTH = 0, 1
DRY = 1.0
"""Millimetres a day: the embedded model drizzles 0.35 on every day."""


@pytest.fixture(scope="module")
def bytes_of(repository: Path) -> Path:
    """The folder of the pulled versions."""
    folder = repository / "data"
    for version in ("cmip6/mini-1", "era5/mini-1"):
        if not (folder / version).is_dir():
            pytest.skip(f"`reg pull {version.replace('/', '@')}` was not run")
    return folder


def of_the_model(folder: Path, activity: str, experiment: str) -> Tensor:
    """Rain (mm a day) and highest temperature (K) of its summer days ``(N, 2, 6, 11)``."""
    times = xr.coders.CFDatetimeCoder(use_cftime=True)
    planes = []
    for name, factor in (("pr", 86400.0), ("tasmax", 1.0)):
        place = folder / "cmip6/mini-1" / MODEL.format(activity, experiment, name)
        with xr.open_dataset(place, engine="zarr", decode_times=times) as store:
            summer = store[name].sel(time=store.time.dt.month.isin(MONTHS))
            planes.append(torch.from_numpy(summer.values.astype("f4") * factor))
    return torch.stack(planes, dim=1)


def of_the_analysis(folder: Path) -> Tensor:
    """The same of ERA5, at the cells of the model."""
    (root,) = (folder / "era5/mini-1").iterdir()
    with xr.open_dataset(root, engine="zarr") as store:
        hours = store.isel(time=slice(0, 122 * 24))
        at = hours.sel(latitude=np.arange(36.25, 43, 1.25), longitude=np.arange(250, 263, 1.25))
        rain = at["total_precipitation"].values.reshape(122, 24, *SHAPE).sum(1) * 1000
        warmth = at["2m_temperature"].values.reshape(122, 24, *SHAPE).max(1)
    return torch.from_numpy(np.stack([rain, warmth], axis=1).astype("f4"))


def batch_of(days: Tensor, truth: Tensor | None = None) -> TinyBatch:
    """Days of a free-running model beside days of the truth: no two of them belong together."""
    target = (days if truth is None else truth)[:, None]
    plane = torch.zeros(SHAPE)
    return TinyBatch(
        days[:, None],
        days[:, None].isfinite(),
        torch.zeros(len(days), 0, *SHAPE),
        target,
        target.isfinite(),
        torch.zeros(len(days), 1),
        torch.arange(len(days)).double() * 86400,
        plane,
        plane,
    )


def corrected(variant: str, past: Tensor, truth: Tensor, days: Tensor) -> Tensor:
    """``days`` as the variant corrects them, fitted on the past alone."""
    channels = (Channel("precip_day"), Channel("tmax_day"))
    settings = {"wet": {"precip_day": DRY}, "variant": variant, "quantiles": 50}
    blueprint = replace(
        hilly_blueprint("quantile-mapping", settings),
        inputs=channels,
        targets=channels,
        input_shape=SHAPE,
        target_shape=SHAPE,
    )
    forecaster = build(blueprint)
    forecaster.fit([batch_of(past, truth)])
    asked = batch_of(days)
    forecaster.observe([asked])
    return forecaster.sample(asked, 1, MemberNoise(0, asked.time.tolist(), 1))[:, 0, 0]


@pytest.fixture(scope="module")
def climates(bytes_of: Path) -> tuple[Tensor, Tensor, Tensor]:
    """The model's past, its warmer future, and the truth."""
    past = of_the_model(bytes_of, "CMIP", "historical")
    future = of_the_model(bytes_of, "ScenarioMIP", "ssp585")
    return past, future, of_the_analysis(bytes_of)


def test_the_past_gets_the_climate_of_the_analysis(climates: tuple[Tensor, ...]) -> None:
    past, _, truth = climates
    shown = corrected("trend-preserving", past, truth, past)
    before = (past[:, WARMTH].mean(0) - truth[:, WARMTH].mean(0)).abs().mean()
    after = (shown[:, WARMTH].mean(0) - truth[:, WARMTH].mean(0)).abs().mean()
    assert after < 0.1 * before
    dry = [float((days[:, RAIN] < DRY).float().mean()) for days in (past, shown, truth)]
    assert abs(dry[1] - dry[2]) < 0.02 < abs(dry[0] - dry[2])


def test_the_warming_of_the_model_is_kept(climates: tuple[Tensor, ...]) -> None:
    past, future, truth = climates
    warming = (future - past)[:, WARMTH].mean(0)
    shown = {
        variant: (corrected(variant, past, truth, future) - corrected(variant, past, truth, past))
        for variant in ("empirical", "trend-preserving")
    }
    errors = {v: float((s[:, WARMTH].mean(0) - warming).abs().mean()) for v, s in shown.items()}
    assert warming.mean() > 3.0
    assert errors["trend-preserving"] < 0.02 * float(warming.mean())
    assert errors["empirical"] > 2 * errors["trend-preserving"]


def test_the_change_of_rain_is_kept_as_a_ratio(climates: tuple[Tensor, ...]) -> None:
    past, future, truth = climates
    wet = past[:, RAIN] >= DRY, future[:, RAIN] >= DRY
    ratio = future[:, RAIN][wet[1]].mean() / past[:, RAIN][wet[0]].mean()
    now, later = (corrected("trend-preserving", past, truth, d)[:, RAIN] for d in (past, future))
    kept = later[later > 0].mean() / now[now > 0].mean()
    assert float(kept) == pytest.approx(float(ratio), rel=0.03)
    assert later.min() >= 0
