from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from wxreg.artifacts.digests import field_digest, merkle_root
from wxreg.data.forecast_files import ForecastWriter, export_netcdf, open_forecast, read_claim
from wxreg.data.forecast_index import index_beside, read_index
from wxreg.data.forecast_layout import ForecastLayout
from wxreg.data.payload_index import field_prints
from wxreg.errors import Conflict, IntegrityError, UsageError

HOUR = 3600
START = 1_685_577_600  # 2023-06-01T00:00
CLAIM = {"checkpoint": "0" * 64, "run": "sample-20261121-034512-a3f9c1"}


def layout(members: int = 5, shape: tuple[int, int] = (20, 30), inits: int = 2, **more):
    y, x = np.arange(shape[0])[::-1] * 3000.0, np.arange(shape[1]) * 3000.0
    return ForecastLayout(
        channels=("refc", "t@500", "t@850"),
        inits=tuple(START + n * HOUR for n in range(inits)),
        leads=(HOUR, 2 * HOUR, 3 * HOUR),
        members=members,
        member_block=2,
        y=y,
        x=x,
        lat=np.broadcast_to(40 + y[:, None] / 1e5, shape),
        lon=np.broadcast_to(-100 + x[None] / 1e5, shape),
        units={"refc": "dBZ", "t": "K"},
        **more,
    )


def block(plan: ForecastLayout, init: int, first: int) -> np.ndarray:
    draw = np.random.default_rng([init, first])
    count = min(plan.member_block, plan.members - first)
    values = draw.normal(size=(count, len(plan.leads), len(plan.channels), *plan.shape))
    values = values.astype("f4")
    values[0, 0, 0, :3] = np.nan
    values[0, 0, 0, 4] = -0.0
    return values


def write(path: Path, plan: ForecastLayout) -> str:
    with ForecastWriter(path, plan, CLAIM) as writer:
        for init in plan.inits:
            for first in range(0, plan.members, plan.member_block):
                if not writer.done(init, first):
                    writer.write(init, first, block(plan, init, first))
        return writer.finish()


def test_a_forecast_reads_back_what_was_written(tmp_path):
    plan, path = layout(), tmp_path / "f.zarr"
    root = write(path, plan)
    opened = open_forecast(path)
    assert opened.refc.dims == ("init_time", "lead_time", "member", "y", "x")
    assert opened.t.dims == ("init_time", "lead_time", "member", "level", "y", "x")
    assert str(opened.init_time.values[1]) == "2023-06-01T01:00:00.000000000"
    assert (opened.lead_time.values / np.timedelta64(1, "h")).tolist() == [1, 2, 3]
    sent = block(plan, plan.inits[1], 4)[0]
    got = opened.isel(init_time=1, member=4)
    assert np.array_equal(got.refc.values, sent[:, 0], equal_nan=True)
    assert np.array_equal(got.t.sel(level=850).values, sent[:, 2])
    entries = read_index(path)
    assert len(entries) == 2 * 3 * 5 * 3
    assert root == merkle_root(e.digest for e in entries) == read_claim(path)["merkle"]
    one = next(
        e
        for e in entries
        if (e.variable, e.init, e.lead, e.member) == ("refc", plan.inits[1], HOUR, 4)
    )
    assert one.digest == field_digest(sent[0, 0])
    assert set(zarr.open_group(path)["refc"].chunks) == {1, 20, 30}


def test_large_fields_are_cut_into_inner_chunks_of_at_most_256(tmp_path):
    plan, path = layout(members=1, shape=(300, 513), inits=1), tmp_path / "f.zarr"
    write(path, plan)
    array = zarr.open_group(path)["refc"]
    assert array.chunks == (1, 1, 1, 256, 256)
    assert np.array_equal(array[0, :, 0], block(plan, START, 0)[0, :, 0], equal_nan=True)


def test_an_unfinished_forecast_is_refused_and_can_be_continued(tmp_path):
    plan, path = layout(), tmp_path / "f.zarr"
    with ForecastWriter(path, plan, CLAIM) as writer:
        writer.write(START, 0, block(plan, START, 0))
    with pytest.raises(Conflict, match="still being written"):
        open_forecast(path)
    with ForecastWriter(path, plan, CLAIM) as writer:
        assert writer.done(START, 0) and not writer.done(START, 2)
        with pytest.raises(IntegrityError, match="5 blocks were never written"):
            writer.finish()
    with pytest.raises(Conflict, match="another forecast"):
        ForecastWriter(path, layout(members=4), CLAIM)
    whole = tmp_path / "whole.zarr"
    assert write(path, plan) == write(whole, plan)
    assert index_beside(path).read_bytes() == index_beside(whole).read_bytes()
    with pytest.raises(Conflict, match="there already"):
        ForecastWriter(path, plan, CLAIM)


KILLED = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
import test_forecast_files as t
t.write(Path(sys.argv[1]), t.layout(members=8, shape=(200, 200), inits=20))
"""


def test_kill_at_any_moment_then_going_on_gives_identical_bytes(tmp_path):
    plan = layout(members=8, shape=(200, 200), inits=20)
    path, whole = tmp_path / "f.zarr", tmp_path / "whole.zarr"
    journal = tmp_path / "f.zarr.writing.jsonl"
    kills = 0
    for lines in (1, 150, 700):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED.format(here=str(Path(__file__).parent)), str(path)]
        )
        while child.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
                os.kill(child.pid, signal.SIGKILL)
                kills += child.wait() == -signal.SIGKILL
            time.sleep(0.002)
    assert kills >= 2
    with pytest.raises(Conflict):
        open_forecast(path)
    write(path, plan)
    write(whole, plan)
    mine, theirs = (
        {p.relative_to(top): p.read_bytes() for p in top.rglob("*") if p.is_file()}
        for top in (path, whole)
    )
    assert mine == theirs


def test_values_that_float32_cannot_hold_are_refused(tmp_path):
    plan = layout()
    values = block(plan, START, 0).astype(float) + 1e-12
    with pytest.raises(UsageError, match="float32 cannot hold"):  # noqa: SIM117
        with ForecastWriter(tmp_path / "f.zarr", plan, CLAIM) as writer:
            writer.write(START, 0, values)


def digests(path: Path, **options) -> set[str]:
    return {found.digest for found in field_prints(path, **options) if found.digest}


def test_copies_of_every_kind_keep_their_field_digests(tmp_path):
    plan, path = layout(), tmp_path / "f.zarr"
    write(path, plan)
    known = {entry.digest for entry in read_index(path)}
    assert digests(path) == known
    netcdf = tmp_path / "f.nc"
    export_netcdf(path, netcdf)
    assert digests(netcdf) == known
    loaded = xr.open_dataset(netcdf, engine="h5netcdf", decode_timedelta=True).load()
    assert json.loads(loaded.attrs["wxreg"])["claim"] == CLAIM

    renamed = tmp_path / "renamed.nc"
    bare = xr.Dataset({"a": (("p", "q", "r", "s", "t"), loaded.refc.values.astype(">f8"))})
    bare.to_netcdf(renamed, engine="h5netcdf", encoding={"a": {"_FillValue": None}})
    refc = {entry.digest for entry in read_index(path) if entry.variable == "refc"}
    assert digests(renamed) == refc

    classic = tmp_path / "classic.nc"
    bare.astype("f4").to_netcdf(classic, engine="scipy")
    assert digests(classic) == refc

    cut = tmp_path / "cut.zarr"
    loaded[["t"]].isel(init_time=[1], lead_time=[2]).drop_encoding().to_zarr(
        cut, consolidated=False
    )
    assert digests(cut) < known and len(digests(cut)) == 10

    turned = tmp_path / "turned.zarr"
    loaded.isel(y=slice(None, None, -1)).drop_encoding().to_zarr(turned, consolidated=False)
    assert not digests(turned) & known
    assert digests(turned, flipped=True) == known


def test_a_changed_cell_changes_one_digest_and_a_constant_field_is_marked(tmp_path):
    values = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("f4")
    values[2] = 7
    path = tmp_path / "a.nc"
    xr.Dataset({"a": (("t", "y", "x"), values)}).to_netcdf(path, engine="h5netcdf")
    before = list(field_prints(path))
    assert [found.constant for found in before] == [False, False, True]
    values[1, 2, 3] = np.nextafter(values[1, 2, 3], np.float32(9))
    path.unlink()
    xr.Dataset({"a": (("t", "y", "x"), values)}).to_netcdf(path, engine="h5netcdf")
    changed = [one.index for one, two in zip(field_prints(path), before, strict=True) if one != two]
    assert changed == [(("t", 1),)]


@pytest.mark.parametrize(
    "name, bytes_", [("a.nc", b"\x89HDF\r\n\x1a\n" + b"\0" * 90), ("b.nc", b"CDF\x01\0")]
)
def test_damaged_files_are_named(tmp_path, name, bytes_):
    (tmp_path / name).write_bytes(bytes_)
    with pytest.raises(IntegrityError, match="cannot be read"):
        list(field_prints(tmp_path / name))
