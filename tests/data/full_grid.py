"""Many full-grid HRRR hours, made of one real field by changing its dates."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from wxreg.data.reading import ReadRequest
from wxreg.leadtime import Duration
from wxreg.specs.grid import Grid
from wxreg.specs.timeaxis import TimeAxis
from wxreg.specs.variables import GribSelector, Variable, VariableEntry

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
START = datetime(2023, 7, 22, 7)
HRRR = Grid(
    crs="+proj=lcc +lat_0=38.5 +lon_0=-97.5 +lat_1=38.5 +lat_2=38.5 +R=6371229 +units=m",
    shape=(1059, 1799),
    spacing=(3000.0, 3000.0),
    origin=(-1587306.1526, -2697520.1425),
    winds="grid-relative",
)


def write_full_grid(root: Path, hours: int) -> None:
    """``hours`` files of f01, each one real temperature field under another date."""
    source = REAL / "hrrr" / "hrrr.t06z.wrfsfcf01-TMP.grib2"
    if not source.is_file():
        pytest.skip("the folder of real files is absent")
    raw = bytearray(source.read_bytes())
    for k in range(hours):
        run = START + timedelta(hours=k - 1)
        raw[28:33] = run.year.to_bytes(2, "big") + bytes([run.month, run.day, run.hour])
        folder = root / f"hrrr.{run:%Y%m%d}" / "conus"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"hrrr.t{run:%H}z.wrfsfcf01.grib2").write_bytes(raw)


def full_request(root: Path, hours: int) -> ReadRequest:
    """A request for the surface temperature of all of them."""
    surface = GribSelector(discipline=0, category=0, number=0, level_type=1)
    end = START + timedelta(hours=hours)
    return ReadRequest(
        layout="hrrr-grib",
        location=str(root),
        entries=(VariableEntry(id="skt", units="K", analysis=False, grib=surface),),
        lexicon={"skt": Variable(id="skt", long_name="surface temperature", units="K")},
        time=TimeAxis(cadence=Duration(3600)),
        grid=HRRR,
        times=(f"{START:%Y-%m-%dT%H:%M}", f"{end:%Y-%m-%dT%H:%M}"),
    )
