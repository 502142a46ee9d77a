"""The forecasts that HRRR itself issued are read at the times they started from."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tiny_grib import (
    ENTRIES,
    START,
    Message,
    field,
    message_bytes,
    path_of,
    rain,
    request,
    write_archive,
)

from wxreg.data.prepare import PreparePlan
from wxreg.data.reading import open_source
from wxreg.errors import Incompatible
from wxreg.leadtime import Duration

HOUR = Duration.parse("1h")
WANTED = tuple(entry for entry in ENTRIES if entry.id in ("t2m", "precip"))


def forecast_of(k: int) -> np.ndarray:
    """What the k-th run says of the 2 m temperature one hour on."""
    return field(k + 40, 280.0)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    root = write_archive(tmp_path)
    for k in range(6):
        run = START + timedelta(hours=k)
        warmth = Message((0, 0, 0), (103, 2), forecast_of(k), hours=1)
        path_of(root, run, 1).write_bytes(message_bytes(run, warmth) + message_bytes(run, rain(k)))
    return root


def test_a_forecast_stands_at_its_initial_time(archive: Path) -> None:
    opened = open_source(request(archive, entries=WANTED, forecast=HOUR))
    np.testing.assert_allclose(opened.t2m[2], forecast_of(2) - 273.15, atol=2e-3)
    np.testing.assert_allclose(opened.precip[2], np.abs(field(2)), atol=2e-3)
    assert opened.attrs["missing_times"] == []


def test_a_run_without_that_lead_is_missing_at_its_initial_time(archive: Path) -> None:
    path_of(archive, START + timedelta(hours=3), 1).unlink()
    opened = open_source(request(archive, entries=WANTED, forecast=HOUR))
    assert opened.attrs["missing_times"] == ["2023-06-01T03:00"]


def test_a_lead_that_the_file_does_not_hold_is_not_taken_for_another(archive: Path) -> None:
    run = START + timedelta(hours=1)
    late = Message((0, 0, 0), (103, 2), forecast_of(9), hours=2)
    path_of(archive, run, 1).write_bytes(message_bytes(run, late) + message_bytes(run, rain(1)))
    opened = open_source(request(archive, entries=WANTED, forecast=HOUR))
    assert opened.attrs["missing_fields"] == {"t2m": ["2023-06-01T01:00"]}


def test_the_state_and_the_forecast_are_never_one_store(archive: Path, tmp_path: Path) -> None:
    plans = [
        PreparePlan(request(archive, entries=WANTED, forecast=lead), tmp_path / "store.zarr")
        for lead in (None, HOUR, Duration.parse("3h"))
    ]
    assert len({plan.identity() for plan in plans}) == 3


def test_a_source_without_forecasts_says_so(tmp_path: Path) -> None:
    with pytest.raises(Incompatible, match="holds no archived forecasts") as refusal:
        open_source(request(tmp_path, layout="cf-zarr", forecast=HOUR))
    assert "hrrr-grib" in str(refusal.value.hint)
