"""The shipped bytes: pinned, whole, small, and what the generator makes again."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import cftime
import eccodes
import h5py
import numpy as np
import pytest
import xarray as xr
import yaml
import zarr

from wxreg.data.embedded import cmip6, conus404, era5, hrrr, sevir, zarr_files
from wxreg.data.embedded.grib import quantised
from wxreg.data.embedded.hrrr_fields import ANALYSIS
from wxreg.data.embedded.sevir_events import Event, draw_events
from wxreg.data.embedded.surface import surface_day, surface_hours
from wxreg.data.embedded.weather import World

ROOT = Path(__file__).parents[2]
REMOTE = ROOT / "data" / "embedded"
PINS = sorted((ROOT / "data").glob("*/mini-*.dvc"))
LIMIT = 40_000_000


def address(md5: str) -> Path:
    return REMOTE / "files" / "md5" / md5[:2] / md5[2:]


def listing(dataset: str, version: str) -> dict[str, str]:
    """The files of a pinned version and the md5 of each."""
    pin = yaml.safe_load((ROOT / "data" / dataset / f"{version}.dvc").read_text())
    tree = json.loads(address(pin["outs"][0]["md5"]).read_text())
    return {entry["relpath"]: entry["md5"] for entry in tree}


def unpack(dataset: str, target: Path, *starts: str) -> Path:
    """Lay out those files of mini-1 whose names begin so."""
    for name, md5 in listing(dataset, "mini-1").items():
        if name.startswith(starts):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(address(md5), target / name)
    return target


def decode(path: Path) -> list[tuple[int, np.ndarray[Any, Any]]]:
    """The offset and values of each message."""
    messages = []
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            offset = int(eccodes.codes_get(handle, "offset"))
            messages.append((offset, eccodes.codes_get_values(handle).reshape(48, 48)))
            eccodes.codes_release(handle)
    return messages


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_all_six_versions_are_pinned() -> None:
    names = [str(pin.relative_to(ROOT / "data"))[:-4] for pin in PINS]
    assert names == [
        "cmip6/mini-1", "conus404/mini-1", "era5/mini-1", "hrrr/mini-1", "hrrr/mini-2",
        "sevir/mini-1",
    ]  # fmt: skip


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: f"{pin.parent.name}-{pin.stem}")
def test_every_object_of_a_pin_is_in_the_remote_and_whole(pin: Path) -> None:
    for md5 in listing(pin.parent.name, pin.stem).values():
        assert hashlib.md5(address(md5).read_bytes()).hexdigest() == md5


def test_the_remote_stays_small() -> None:
    assert sum(p.stat().st_size for p in REMOTE.rglob("*") if p.is_file()) <= LIMIT


def test_hrrr_versions_share_all_files_but_the_mended_hour() -> None:
    first, second = listing("hrrr", "mini-1"), listing("hrrr", "mini-2")
    assert set(first) < set(second)
    changed = sorted(name for name in first if first[name] != second[name])
    bad = hrrr.file_name(hrrr.BAD_DEWPOINT, "sfcf00")
    assert changed[0] == bad and set(changed) <= {bad, f"{bad}.idx"}
    for hour in hrrr.MISSING:
        assert hrrr.file_name(hour, "sfcf00") not in second


@pytest.mark.parametrize("hour", ["2023-06-01T00", "2023-06-05T14", "2023-06-12T22"])
def test_hrrr_is_generated_again(world: World, tmp_path: Path, hour: str) -> None:
    reference = np.datetime64(hour, "h")
    writer = hrrr.HrrrWriter(world, hrrr.hrrr_place())
    for kind, table in hrrr.TABLES.items():
        name = hrrr.file_name(reference, kind)
        path = unpack("hrrr", tmp_path, name) / name
        fields = writer.fields(reference, kind)
        if reference == hrrr.BAD_DEWPOINT and kind == "sfcf00":
            fields["d2m"] = hrrr.impossible(fields["d2m"])
        for (key, field), (_, values) in zip(table.items(), decode(path), strict=True):
            np.testing.assert_allclose(
                values, quantised(fields[key], field.step), atol=1.01 * field.step, err_msg=key
            )


def test_hrrr_index_points_at_the_messages(tmp_path: Path) -> None:
    name = hrrr.file_name(np.datetime64("2023-06-02T20", "h"), "sfcf00")
    path = unpack("hrrr", tmp_path, name) / name
    lines = path.with_name(path.name + ".idx").read_text().splitlines()
    assert [int(line.split(":")[1]) for line in lines] == [offset for offset, _ in decode(path)]
    assert lines[0] == "1:0:d=2023060220:REFC:entire atmosphere:anl:"
    assert len(lines) == len(ANALYSIS)


def test_shipped_dewpoint_is_never_above_temperature(tmp_path: Path) -> None:
    keys = list(ANALYSIS)
    day = unpack("hrrr", tmp_path, "hrrr.20230607/conus/hrrr.t") / "hrrr.20230607" / "conus"
    for path in sorted(day.glob("*wrfsfcf00.grib2")):
        messages = decode(path)
        assert np.all(messages[keys.index("d2m")][1] <= messages[keys.index("t2m")][1])


@pytest.fixture(scope="module")
def event(world: World) -> Event:
    return [event for event in draw_events(world) if event.kind == "storm"][3]


@pytest.mark.parametrize("kind", ["vil", "ir107", "lght"])
def test_sevir_events_are_generated_again(
    world: World, event: Event, tmp_path: Path, kind: str
) -> None:
    name = sevir.file_name(kind, event)
    path = unpack("sevir", tmp_path, f"data/{name}") / "data" / name
    made = sevir.event_values(world, event, kind).astype(np.float64)
    with h5py.File(path) as file:
        if kind == "lght":
            np.testing.assert_allclose(file[event.id][...], made, rtol=1e-5, atol=1e-3)
            return
        row = [i.decode() for i in file["id"][...]].index(event.id)
        shipped = file[kind][row].astype(np.float64)
    assert shipped.shape[-1] == 49
    assert np.abs(shipped - made).max() <= (1 if kind == "vil" else 25)


def test_one_sevir_file_is_damaged(tmp_path: Path) -> None:
    name = "data/vil/2019/SEVIR_VIL_STORMEVENTS_2019_0715_0731.h5"
    with pytest.raises(OSError, match="truncated"):
        h5py.File(unpack("sevir", tmp_path, name) / name)


def test_conus404_days_are_generated_again(world: World, tmp_path: Path) -> None:
    root = unpack("conus404", tmp_path, "")
    day = np.datetime64("2021-07-06", "D")
    weather = surface_day(world, conus404.conus404_place(), day)
    made = {
        "daily": (conus404.daily_values(weather), conus404.DAILY, slice(66, 67)),
        "hourly": (conus404.hourly_values(weather), conus404.HOURLY, slice(24, 48)),
    }
    for store, (fields, table, when) in made.items():
        group = zarr.open_group(str(root / f"conus404_{store}.zarr"), mode="r")
        for name, values in fields.items():
            expected = zarr_files.quantised(values, table[name][0])
            shipped = np.asarray(group[name][when]).reshape(expected.shape)
            np.testing.assert_allclose(shipped, expected, atol=1.01 * table[name][0][0])


def test_era5_is_generated_again_and_ends_where_it_says(world: World, tmp_path: Path) -> None:
    path = unpack("era5", tmp_path, "") / era5.STORE
    place, day = era5.era5_place(), np.datetime64("2021-08-20T05", "h")
    weather = surface_hours(world, place, era5_hours(day))
    with xr.open_zarr(path, consolidated=True) as store:
        for name, values in era5.era5_values(place, weather).items():
            step = era5.FIELDS[name][0][0]
            shipped = store[name].sel(time=slice("2021-08-20T05", "2021-08-20T07")).values
            np.testing.assert_allclose(shipped, values, atol=0.51 * step + 1e-6)
        temperature = store["2m_temperature"]
        assert not temperature.sel(time="2021-08-31").isnull().any()
        assert temperature.sel(time=slice("2021-09-01", None)).isnull().all()
        assert store.attrs["valid_time_stop"] < store.attrs["valid_time_stop_era5t"]


def era5_hours(first: np.datetime64) -> np.ndarray[Any, Any]:
    from wxreg.data.embedded.clock import hours_of

    return hours_of(first + np.arange(3) * np.timedelta64(1, "h"))


def test_cmip6_is_generated_again_in_its_own_calendar(tmp_path: Path) -> None:
    model = cmip6.OPEN_MODEL
    days = [cftime.datetime(2012, month, 28, 12, calendar="noleap") for month in (2, 7)]
    made = cmip6.simulate(model, "historical", days)
    root = unpack("cmip6", tmp_path, "CMIP6/CMIP/WXREG/")
    times = xr.coders.CFDatetimeCoder(use_cftime=True)
    for name in ("pr", "tas", "tasmax"):
        place = f"CMIP6/CMIP/WXREG/WX-ESM1-LR/historical/r1i1p1f1/day/{name}/gn/v20231121"
        with xr.open_dataset(root / place, engine="zarr", decode_times=times) as shipped:
            assert shipped["time"].dt.calendar == "noleap"
            np.testing.assert_allclose(
                shipped[name].sel(time=days).values,
                made[name].values,
                atol=1e-6 + 0.13 * (name != "pr"),
            )


def test_the_warmer_scenario_is_warmer(tmp_path: Path) -> None:
    root = unpack("cmip6", tmp_path, "CMIP6/")
    times = xr.coders.CFDatetimeCoder(use_cftime=True)
    means = {}
    for activity, experiment in (("CMIP", "historical"), ("ScenarioMIP", "ssp585")):
        place = f"CMIP6/{activity}/WXREG/WX-ESM1-LR/{experiment}/r1i1p1f1/day/tas/gn/v20231121"
        with xr.open_dataset(root / place, engine="zarr", decode_times=times) as store:
            means[experiment] = float(store["tas"].mean())
    assert 3.0 < means["ssp585"] - means["historical"] < 6.0
