"""Events that start at one time keep apart in a forecast store and in its payload index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wxreg.data.forecast_files import ForecastWriter, open_forecast
from wxreg.data.forecast_index import read_index
from wxreg.data.forecast_layout import ForecastLayout
from wxreg.data.payload_index import field_prints
from wxreg.errors import UsageError

HOUR, SIDE = 3600, 4
CLAIM = {"model": "tiny"}


def layout(**more: Any) -> ForecastLayout:
    place = np.arange(SIDE, dtype=float)
    settings: dict[str, Any] = {
        "channels": ("vil",), "inits": (0, 0, HOUR), "segments": (3, 7, 7), "leads": (HOUR,),
        "members": 1, "member_block": 1, "y": -place, "x": place,
        "lat": np.zeros((SIDE, SIDE)), "lon": np.zeros((SIDE, SIDE)),
    }  # fmt: skip
    return ForecastLayout(**{**settings, **more})


def block(value: float) -> np.ndarray:
    return np.full((1, 1, 1, SIDE, SIDE), value, "f4") + np.arange(SIDE, dtype="f4")


def test_each_event_has_its_own_field_and_entry(tmp_path: Path) -> None:
    path, plan = tmp_path / "f.zarr", layout()
    with ForecastWriter(path, plan, CLAIM) as writer:
        for number, start in enumerate(plan.starts):
            assert not writer.done(start.init, 0, start.segment)
            writer.write(start.init, 0, block(10.0 * number), start.segment)
        writer.finish()
    opened = open_forecast(path)
    assert opened["segment"].values.tolist() == [3, 7, 7]
    assert opened["vil"].values[:, 0, 0, 0, 0].tolist() == [0, 10, 20]
    entries = read_index(path)
    assert [(entry.init, entry.segment) for entry in entries] == [(0, 3), (0, 7), (HOUR, 7)]
    assert len({entry.digest for entry in entries}) == 3
    assert {entry.digest for entry in entries} <= {one.digest for one in field_prints(path)}


def test_an_interrupted_store_knows_which_event_is_written(tmp_path: Path) -> None:
    path, plan = tmp_path / "f.zarr", layout()
    with ForecastWriter(path, plan, CLAIM) as writer:
        writer.write(0, 0, block(1.0), 3)
    with ForecastWriter(path, plan, CLAIM) as writer:
        assert writer.done(0, 0, 3) and not writer.done(0, 0, 7)


def test_two_forecasts_of_one_event_at_one_time_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        ForecastWriter(tmp_path / "f.zarr", layout(segments=(3, 3, 7)), CLAIM)
    assert caught.value.code == "REG-235"
    with pytest.raises(UsageError):
        ForecastWriter(tmp_path / "g.zarr", layout(segments=()), CLAIM)
