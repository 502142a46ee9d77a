"""Every catalog entry through Intake itself: parameters arrive, wrong ones are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import intake
import numpy as np
import pytest

from wxreg.drivers import CMIP6, HRRRGrib, WeatherSource
from wxreg.errors import NotFound, UsageError

ROOT = Path(__file__).parents[2]
CATALOGS = sorted(p.stem for p in (ROOT / "catalog").glob("*.yaml") if p.stem != "lexicon")
pytestmark = pytest.mark.filterwarnings("ignore:Shell command not executed")


def _open(dataset: str) -> Any:
    return intake.open_catalog(str(ROOT / "catalog" / f"{dataset}.yaml"))


def _sources() -> list[tuple[str, str]]:
    return [(dataset, name) for dataset in CATALOGS for name in _open(dataset)]


def _pulled(dataset: str, version: str = "mini-1") -> None:
    if not (ROOT / "data" / dataset / version).exists():
        pytest.skip(f"`reg pull {dataset}@{version}` first")


def test_importing_the_drivers_loads_nothing_heavy() -> None:
    code = (
        "import sys, wxreg.drivers; "
        "print([m for m in ('torch', 'xarray', 'zarr', 'eccodes', 'h5py', 'wxreg.data') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("dataset", "name"), _sources())
def test_an_entry_builds_its_driver(dataset: str, name: str) -> None:
    source = _open(dataset)[name]
    assert isinstance(source, WeatherSource)
    assert source.dataset_id == dataset
    assert source.urlpath
    assert "{{" not in source.urlpath


@pytest.mark.parametrize(("dataset", "name"), _sources())
def test_named_parameters_reach_the_driver(dataset: str, name: str) -> None:
    source = _open(dataset)[name](
        variables=["t2m"], levels=[500, 850], start="2023-06-01", end="2023-06-02"
    )
    assert source.variables == ("t2m",)
    assert source.levels == (500.0, 850.0)
    assert source.times == ("2023-06-01T00:00", "2023-06-02T00:00")


@pytest.mark.parametrize(("dataset", "name"), _sources())
def test_an_unknown_parameter_is_refused(dataset: str, name: str) -> None:
    with pytest.raises(TypeError, match="varables"):
        _open(dataset)[name](varables=["t2m"])


def test_a_declared_parameter_is_validated_and_used() -> None:
    catalog = _open("hrrr")
    assert catalog.embedded(version="mini-2").urlpath.endswith("data/hrrr/mini-2")
    assert catalog.embedded(version="mini-2").release == "mini-2"
    assert catalog.gcs(product="prs").product == "prs"
    with pytest.raises(ValueError, match="mini-9"):
        catalog.embedded(version="mini-9")


def test_the_catalogue_columns_reach_the_reader() -> None:
    source = _open("cmip6").pangeo(source_id="CESM2", experiment_id="ssp585")
    assert isinstance(source, CMIP6)
    assert source.options() == {
        "source_id": "CESM2",
        "experiment_id": "ssp585",
        "table_id": "day",
    }


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"start": "2023-06-01"}, "REG-200"),
        ({"start": "2023-06-02", "end": "2023-06-01"}, "REG-200"),
        ({"start": "yesterday", "end": "2023-06-01"}, "REG-200"),
        ({"variables": "t2m"}, "REG-200"),
        ({"dataset": "../../etc"}, "REG-200"),
        ({"release": "../x"}, "REG-200"),
    ],
)
def test_a_wrong_value_is_refused_at_once(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        HRRRGrib(**{"dataset": "hrrr", "urlpath": "memory://x", **wrong})
    assert caught.value.code == code


def test_an_unknown_variable_has_near_names() -> None:
    with pytest.raises(NotFound) as caught:
        _open("hrrr").sfc(variables=["cape_bs"]).request()
    assert caught.value.code == "REG-302"
    assert "cape_sb" in str(caught.value)


def test_an_open_archive_asks_for_variables() -> None:
    with pytest.raises(UsageError, match="which variables"):
        _open("hrrr").sfc.request()


def test_a_variable_whose_selector_changed_is_asked_for_both_ways() -> None:
    request = _open("hrrr").sfc(variables=["msl", "t2m"]).request()
    assert [entry.id for entry in request.entries] == ["t2m", "msl", "msl"]


def test_hrrr_reads_real_values_end_to_end() -> None:
    _pulled("hrrr")
    source = _open("hrrr").embedded(start="2023-06-03T06", end="2023-06-03T10")
    opened = source.to_dask()
    assert opened["t2m"].dims == ("time", "y", "x")
    assert opened["t"].dims == ("time", "level", "y", "x")
    assert source.discover()["npartitions"] == 4
    t2m = source.read()["t2m"].values
    gone = np.isnan(t2m).all(axis=(1, 2))
    assert gone.tolist() == [False, True, True, False]
    assert 270 < np.nanmean(t2m) < 310


def test_the_second_hrrr_version_mends_the_dewpoints() -> None:
    _pulled("hrrr")
    _pulled("hrrr", "mini-2")
    lowest = [
        float(
            _open("hrrr")
            .embedded(
                version=version, variables=["d2m"], start="2023-06-05T14", end="2023-06-05T15"
            )
            .read()["d2m"]
            .min()
        )
        for version in ("mini-1", "mini-2")
    ]
    assert lowest[0] < 200 < 250 < lowest[1]


@pytest.mark.parametrize(
    ("dataset", "source", "variable", "low", "high"),
    [
        ("sevir", "embedded", "vil", 0, 80),
        ("conus404", "embedded", "precip_1h", 0, 200),
        ("conus404", "embedded_daily", "tmax_day", 270, 320),
        ("era5", "embedded", "t2m", 260, 320),
        ("cmip6", "embedded", "tmax_day", 250, 325),
    ],
)
def test_the_embedded_sources_read_real_values(
    dataset: str, source: str, variable: str, low: float, high: float
) -> None:
    _pulled(dataset)
    opened = _open(dataset)[source]().to_dask()
    values = opened[variable].isel(time=slice(50, 60)).values
    assert values.dtype == np.float32
    assert np.isfinite(values).any()
    assert low <= np.nanmin(values) < np.nanmax(values) <= high


def test_era5_ends_where_its_data_end() -> None:
    _pulled("era5")
    opened = _open("era5").embedded().to_dask()
    assert str(opened["time"].values[-1])[:13] == "2021-08-31T23"
    assert opened.attrs["provisional_times"][0] == "2021-08-21T00:00"


def test_cmip6_keeps_its_calendar_and_gives_either_experiment() -> None:
    _pulled("cmip6")
    catalog = _open("cmip6")
    for experiment, year in (("historical", 2009), ("ssp585", 2075)):
        time = catalog.embedded(experiment_id=experiment).to_dask()["time"].values
        assert (time[0].calendar, time[0].year, len(time)) == ("noleap", year, 6 * 365)


def test_sevir_leaves_incomplete_events_out_and_counts_them() -> None:
    _pulled("sevir")
    opened = _open("sevir").embedded().to_dask()
    assert opened.sizes["time"] == 49 * (int(opened["segment"].max()) + 1)
    assert sum(opened.attrs["left_out"].values()) > 0
