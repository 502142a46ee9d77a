"""Small forecasts with known errors, and the truth they are held against."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import zarr

from data.tiny_stores import hours, write_store
from wxreg.data.forecast_files import ForecastWriter
from wxreg.data.forecast_layout import ForecastLayout
from wxreg.data.windows import Start
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.scoring.statistics import Domain
from wxreg.runs.scoring.wanted import Scoring
from wxreg.specs.protocol import Protocol
from wxreg.specs.variables import Variable

HOUR = 3600
START = int(np.datetime64("2023-06-01T00:00", "s").astype(int))
SHAPE = (8, 12)
LEXICON = {
    "t2m": Variable(id="t2m", long_name="Temperature at 2 m", units="K"),
    "refc": Variable(id="refc", long_name="Reflectivity", units="dBZ", colours="reflectivity"),
}


def protocol(**changes: object) -> Protocol:
    values = {
        "spec": 1,
        "id": "tiny",
        "title": "Tiny",
        "variables": ("t2m", "refc"),
        "metrics": ({"id": "rmse"}, {"id": "bias"}, {"id": "crps"}),
        "bootstrap": {"block": "24h", "samples": 50},
        **changes,
    }
    return Protocol.model_validate_json(json.dumps(values))


def truth_store(path: Path, days: int = 4) -> Path:
    made = write_store(path, times=hours(24 * days), shape=SHAPE)
    assert made.sizes["time"] == 24 * days
    group = zarr.open_group(path, mode="r+")
    for name, variable in LEXICON.items():
        group[name].attrs["units"] = variable.units
    return path


def forecast_store(
    path: Path,
    truth: Path,
    *,
    errors: tuple[float, ...] = (1.0,),
    inits: tuple[int, ...] = (0, 12, 24, 36, 48),
    leads: tuple[int, ...] = (1, 3),
    finish: bool = True,
    units: dict[str, str] | None = None,
    channels: tuple[str, ...] = ("t2m", "refc"),
) -> Path:
    """Each member is the truth plus its own constant error."""
    fields = TruthFields(truth, channels)
    store = fields.store
    layout = ForecastLayout(
        channels=channels,
        inits=tuple(START + HOUR * init for init in inits),
        leads=tuple(HOUR * lead for lead in leads),
        members=len(errors),
        member_block=len(errors),
        y=store.y,
        x=store.x,
        lat=store.lat,
        lon=store.lon,
        units=units or {name: LEXICON[name].units for name in channels},
    )
    with ForecastWriter(path, layout, {"model": "tiny"}) as writer:
        for init in layout.inits:
            values = np.zeros((len(errors), len(leads), len(channels), *SHAPE), "f4")
            for at, lead in enumerate(layout.leads):
                place = fields.place(Start(init), lead)
                for number, channel in enumerate(channels):
                    if place is not None:
                        values[:, at, number] = fields.read(place, channel)
            writer.write(init, 0, values + np.array(errors, "f4")[:, None, None, None, None])
        if finish:
            writer.finish()
    return path


def scoring(forecast: ForecastFields, wanted: Protocol) -> Scoring:
    return Scoring(
        protocol=wanted,
        channels=forecast.channels,
        domain=Domain(3.0, 3.0),
        lexicon=LEXICON,
        lat=forecast.lat,
        lon=forecast.lon,
    )
