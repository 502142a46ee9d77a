"""E-OBS through its catalog: one packed NetCDF file a variable, land only, south row first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import intake
import numpy as np
import pytest
import xarray as xr

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:Shell command not executed")
PACKED = {"tg": 0.01, "tn": 0.01, "tx": 0.01, "rr": 0.1, "pp": 0.1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three days as ECA&D packs them: short integers, -9999 over the sea."""
    lat, lon = np.arange(35.05, 36, 0.1), np.arange(-5.95, -5, 0.1)
    days = np.arange(26450, 26453)  # from 2022-06-02
    since = {"units": "days since 1950-01-01 00:00", "calendar": "standard"}
    land = np.add.outer(np.arange(10), np.arange(10)) > 4
    for number, (name, step) in enumerate(PACKED.items()):
        field = (100 + 10 * number + days[:, None, None] - days[0]) * np.ones((3, 10, 10))
        made = xr.Dataset(
            {name: (("time", "latitude", "longitude"), np.where(land, field / 10, np.nan))},
            {"time": ("time", days, since), "latitude": lat, "longitude": lon},
        )
        packing = {"dtype": "i2", "scale_factor": step, "_FillValue": -9999}
        path = tmp_path / f"{name}_ens_mean_0.1deg_reg_v27.0e.nc"
        made.to_netcdf(path, engine="h5netcdf", encoding={name: packing})
    return tmp_path


def _read(folder: Path, *variables: str) -> Any:
    catalog = intake.open_catalog(str(ROOT / "catalog" / "eobs.yaml"))
    return catalog.netcdf(folder=str(folder), variables=list(variables)).read()


def test_packed_days_become_canonical_fields_and_the_sea_is_missing(folder: Path) -> None:
    found = _read(folder, "tmean_day", "precip_day", "msl_day")
    assert list(found.time.values.astype("datetime64[D]").astype(str)) == [
        "2022-06-02", "2022-06-03", "2022-06-04",
    ]  # fmt: skip
    land = np.isfinite(found.tmean_day.isel(time=0).values)
    assert land.sum() == 85 and not land[0, 0]
    firsts = {"tmean_day": 283.15, "precip_day": 13.0, "msl_day": 1400.0}  # K, mm, Pa
    for name, first in firsts.items():
        np.testing.assert_allclose(found[name].values[0, -1, -1], first, rtol=1e-5)
        np.testing.assert_array_equal(np.isfinite(found[name].values[1]), land)
    np.testing.assert_allclose(found.precip_day.values[:, -1, -1], [13.0, 13.1, 13.2], rtol=1e-5)
