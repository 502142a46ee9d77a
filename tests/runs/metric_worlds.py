"""Forecasts with members, leads and holes, and their truth, for every metric at once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr

from wxreg.data.forecast_files import ForecastWriter
from wxreg.data.forecast_layout import ForecastLayout
from wxreg.runs.evaluating.baselines import StoredBaseline
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.evaluating.streams import Streams
from wxreg.runs.scoring.keys import MODEL
from wxreg.runs.scoring.statistics import Domain
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.catalogue import METRICS
from wxreg.specs.protocol import Protocol
from wxreg.specs.variables import Variable

HOUR, SHAPE, MEMBERS = 3600, (16, 24), 3
LEADS = (1, 2, 3)
INITS = (0, 30, 60)
NAMES = ("t2m", "refc", "u10", "v10")
LEXICON = {
    "t2m": Variable(id="t2m", long_name="Temperature", units="K", range=(180.0, 340.0)),
    "refc": Variable(id="refc", long_name="Reflectivity", units="dBZ", range=(-30.0, 90.0)),
    "u10": Variable(id="u10", long_name="Wind", units="m s-1", vector="x", partner="v10",
                    range=(-150.0, 150.0)),
    "v10": Variable(id="v10", long_name="Wind", units="m s-1", vector="y", partner="u10",
                    range=(-150.0, 150.0)),
    "precip_day": Variable(id="precip_day", long_name="Rain", units="kg m-2 day-1",
                           range=(0.0, 2000.0), transform="log1p"),
}  # fmt: skip


def smooth(draw: np.random.Generator, count: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Fields whose neighbours resemble each other, in space and in time."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(draw.normal(size=(count, *shape)), (1.0, 2.0, 2.0))
    return np.asarray(field / field.std(), "f4")


def truth_store(path: Path, values: dict[str, np.ndarray], times: np.ndarray) -> Path:
    """A canonical store of these fields."""
    rows, columns = next(iter(values.values())).shape[1:]
    y, x = np.arange(rows)[::-1] * 0.1 + 30.0, np.arange(columns) * 0.1 - 100.0
    lat, lon = np.meshgrid(y, x, indexing="ij")
    made = xr.Dataset(
        {
            name: (("time", "y", "x"), field, {"units": LEXICON[name].units})
            for name, field in values.items()
        },
        {"time": times, "y": y, "x": x, "lat": (("y", "x"), lat), "lon": (("y", "x"), lon)},
    )
    made.to_zarr(path, zarr_format=3, consolidated=False)
    return path


def forecast_store(
    path: Path,
    truth: Path,
    names: tuple[str, ...],
    inits: tuple[int, ...],
    leads: tuple[int, ...],
    made: np.ndarray,
    heads: bool = False,
) -> Path:
    """A finished forecast; ``made`` is (inits, members, leads, channels, y, x).

    With ``heads`` each member stands in the middle of a normal density of deviation 2.
    """
    store = TruthFields(truth, names).store
    layout = ForecastLayout(
        channels=names, inits=inits, leads=leads, members=made.shape[1],
        member_block=made.shape[1], y=store.y, x=store.x, lat=store.lat, lon=store.lon,
        units={name: LEXICON[name].units for name in names},
        heads={name: {"distribution": "normal"} for name in names} if heads else {},
    )  # fmt: skip
    if heads:
        made = np.concatenate([made, made, np.full_like(made, 2.0)], axis=3)
    with ForecastWriter(path, layout, {"model": "tiny"}) as writer:
        for init, values in zip(inits, made, strict=True):
            writer.write(init, 0, np.asarray(values, "f4"))
        writer.finish()
    return path


def hourly_world(folder: Path) -> tuple[Path, Path, Path]:
    """The truth, an ensemble of three members, and a climatology, hour by hour."""
    draw = np.random.default_rng(0)
    times = np.datetime64("2023-06-01T00:00", "ns") + np.arange(72) * np.timedelta64(1, "h")
    values = {
        "t2m": 290 + 5 * smooth(draw, 72),
        "refc": 15 + 20 * smooth(draw, 72),
        "u10": 5 * smooth(draw, 72),
        "v10": 5 * smooth(draw, 72),
    }
    values["refc"][:, 2, 3] = np.nan
    truth = truth_store(folder / "truth.zarr", values, times)
    start = int(times[0].astype("datetime64[s]").astype(int))
    inits = tuple(start + HOUR * one for one in INITS)
    leads = tuple(HOUR * lead for lead in LEADS)
    real = np.stack(
        [
            [[values[name][init + lead] for name in NAMES] for lead in LEADS]
            for init in INITS
        ]
    )  # fmt: skip
    noise = smooth(draw, len(INITS) * MEMBERS * len(LEADS) * len(NAMES)).reshape(
        len(INITS), MEMBERS, *real.shape[1:]
    )
    made = np.nan_to_num(real[:, None], nan=10.0) + 3 * noise
    made[1, 2] = np.nan  # a member that one init lacks
    ensemble = forecast_store(folder / "ensemble.zarr", truth, NAMES, inits, leads, made,
                              heads=True)  # fmt: skip
    usual = np.stack([np.nan_to_num(values[name]).mean(0) for name in NAMES])
    usual = np.broadcast_to(usual, (len(INITS), 1, len(LEADS), *usual.shape))
    climate = forecast_store(folder / "climate.zarr", truth, NAMES, inits, leads, usual)
    return truth, ensemble, climate


def every_metric(skip: frozenset[str] = frozenset({"climate"}), **changes: object) -> Protocol:
    """A protocol that names every metric but those of some statistics."""
    vectors = {"variables": ["u10", "v10"]}
    special = {"fss": {"windows": [1, 3]}, "neighbourhood": {"windows": [1, 5]},
               "vector": vectors, "displacement": {"settings": {"block": 8}},
               "initiation": {"settings": {"block": 4}},
               "quantile_loss": {"settings": {"levels": [0.1, 0.9]}}}  # fmt: skip
    metrics = [
        {"id": metric.id, **special.get(metric.statistic, {})}
        for metric in METRICS.values() if metric.statistic not in skip
    ]  # fmt: skip
    values = {
        "spec": 1, "id": "everything", "title": "Everything", "variables": list(NAMES),
        "metrics": metrics, "bootstrap": {"block": "24h", "samples": 2},
        "thresholds": [{"variable": "refc", "values": [20, 35], "units": "dBZ"}],
        "events": {"storm": "refc >= 20 dBZ and u10*u10 + v10*v10 > 9"},
        "constraints": [{"name": "within", "tolerance": 0.0,
                         "settings": {"variable": "t2m", "low": 285, "high": 300}}],
        "masks": [{"name": "convective", "where": "refc > 20"}],
        "regions": [{"name": "west", "south": 0, "north": 90, "west": -180, "east": -99}],
        "bins": ["lead", "season"],
        **changes,
    }  # fmt: skip
    return Protocol.model_validate_json(json.dumps(values))


def streams_of(truth: Path, ensemble: Path, climate: Path | None, wanted: Protocol) -> Streams:
    """The sides, opened."""
    forecast = ForecastFields(ensemble)
    scoring = Scoring(wanted, forecast.channels, Domain(3.0, 3.0), LEXICON,
                      forecast.lat, forecast.lon)  # fmt: skip
    usual = None
    if climate is not None:
        usual = StoredBaseline(ForecastFields(climate), forecast.leads)
    return Streams(scoring, forecast, TruthFields(truth, forecast.channels), climatology=usual,
                   heads={MODEL: forecast.heads})  # fmt: skip
