from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from tiny_grib import GRID, LAMBERT, START, field, request, write_archive

from wxreg.data.grids import coordinates, to_earth
from wxreg.data.prepare import PreparePlan, Target, prepare, store_is_current
from wxreg.data.stores import open_store
from wxreg.data.target import Placement
from wxreg.errors import Conflict, Incompatible, IntegrityError
from wxreg.specs.grid import Grid


def tree(root: Path) -> dict[str, str]:
    """The digest of every file of a store."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def plan(tmp_path: Path, hours: int = 6, **changes: object) -> PreparePlan:
    given = {"request": request(tmp_path / "raw", hours), "output": tmp_path / "out.zarr"}
    return PreparePlan(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "raw")


@pytest.mark.usefixtures("archive")
def test_the_store_is_north_up_and_its_winds_are_true(tmp_path: Path) -> None:
    report = prepare(plan(tmp_path))
    opened = open_store(report.path)
    np.testing.assert_allclose(opened.t2m[1], field(1, 280 - 273.15)[::-1], atol=2e-3)
    assert opened.lat[0, 0] > opened.lat[-1, 0]
    assert (np.diff(opened.y) < 0).all()
    u, v = to_earth(field(1, 5.0), field(1, -3.0), GRID)
    np.testing.assert_allclose(opened.u10[1], u[::-1], atol=2e-3)
    np.testing.assert_allclose(opened.v10[1], v[::-1], atol=2e-3)
    assert abs(u - field(1, 5.0)).max() > 0.05
    np.testing.assert_allclose(
        np.hypot(opened.u10[1], opened.v10[1]), np.hypot(field(1, 5.0), field(1, -3.0))[::-1],
        atol=5e-3,
    )  # fmt: skip
    assert set(opened.data_vars) == {"t2m", "u10", "v10", "precip", "refc"}


@pytest.mark.usefixtures("archive")
def test_the_same_plan_is_current_and_another_is_not(tmp_path: Path) -> None:
    first = plan(tmp_path)
    assert not store_is_current(first.output, first)
    assert prepare(first).written > 0
    assert store_is_current(first.output, first)
    assert prepare(first).written == 0
    other = plan(tmp_path, gaps="previous")
    assert not store_is_current(first.output, other)
    pinned = plan(tmp_path, source_digest="a" * 64)
    moved = plan(tmp_path, source_digest="a" * 64, output=tmp_path / "elsewhere.zarr")
    assert pinned.identity() == moved.identity() != first.identity()


@pytest.mark.usefixtures("archive")
def test_workers_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    one = prepare(plan(tmp_path, output=tmp_path / "one.zarr"))
    two = prepare(plan(tmp_path, output=tmp_path / "two.zarr"), workers=2)
    assert tree(one.path) == tree(two.path)


_KILLED = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from tiny_grib import request
from wxreg.data import stores
from wxreg.data.prepare import PreparePlan, prepare
stores.SHARD_BYTES = 1000
root = Path({root!r})
prepare(
    PreparePlan(request=request(root / "raw"), output=root / "out.zarr"),
    progress=lambda done, total: print(done, total, flush=True),
)
"""


def test_a_kill_at_any_moment_resumes_to_identical_bytes(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wxreg.data.stores.SHARD_BYTES", 1000)
    whole = tree(prepare(plan(tmp_path, output=tmp_path / "whole.zarr")).path)
    script = _KILLED.format(paths=[str(Path(__file__).parent)], root=str(tmp_path))
    for after in (0, 5, 11):
        with subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line.split()[0]) >= after:
                    time.sleep(0.002)
                    os.kill(process.pid, signal.SIGKILL)
                    break
    report = prepare(plan(tmp_path))
    assert report.kept > 0
    assert tree(report.path) == whole
    assert archive.exists()


@pytest.mark.usefixtures("archive")
def test_half_written_files_of_a_killed_writer_are_swept(tmp_path: Path) -> None:
    prepare(plan(tmp_path, output=tmp_path / "whole.zarr"))
    (tmp_path / "whole.zarr").rename(tmp_path / "out.zarr.partial")
    shard = tmp_path / "out.zarr.partial" / "t2m" / "c" / "0" / "0" / "0"
    shard.rename(shard.with_suffix(".0123.partial"))
    report = prepare(plan(tmp_path))
    assert report.written == 1
    assert not list(report.path.rglob("*.partial"))


@pytest.mark.parametrize("policy", ["interpolate", "previous", "mark"])
def test_gaps_are_filled_as_declared_and_recorded(tmp_path: Path, policy: str) -> None:
    write_archive(tmp_path / "raw", absent=(2, 3))
    report = prepare(plan(tmp_path, gaps=policy))
    opened = open_store(report.path)
    t1, t4 = (field(k, 280 - 273.15)[::-1] for k in (1, 4))
    if policy == "interpolate":
        np.testing.assert_allclose(opened.t2m[2], t1 * 2 / 3 + t4 / 3, atol=2e-3)
        np.testing.assert_allclose(opened.t2m[3], t1 / 3 + t4 * 2 / 3, atol=2e-3)
    elif policy == "previous":
        np.testing.assert_allclose(opened.t2m[3], t1, atol=2e-3)
    else:
        assert np.isnan(opened.t2m[2:4]).all()
    flags = opened.quality_flag.values[:, opened.quality_flag.attrs["fields"].index("t2m")]
    expected = {"mark": 1, "interpolate": 2, "previous": 3}[policy]
    assert flags.tolist() == [0, 0, expected, expected, 0, 0]
    lost = ["2023-06-01T02:00", "2023-06-01T03:00"] if policy == "mark" else []
    assert opened.attrs["missing_times"] == lost
    assert list(report.missing_times) == lost


def test_a_gap_is_refused_where_none_may_be(tmp_path: Path) -> None:
    write_archive(tmp_path / "raw", absent=(2,))
    with pytest.raises(Incompatible, match="2023-06-01T02:00") as caught:
        prepare(plan(tmp_path, gaps="refuse"))
    assert caught.value.code == "REG-432"


@pytest.mark.usefixtures("archive")
def test_region_and_blocks_cut_the_grid(tmp_path: Path) -> None:
    place = coordinates(GRID)
    region = (place.lat[2, 2], place.lon[2, 2], place.lat[7, 9], place.lon[7, 9])
    report = prepare(plan(tmp_path, target=Target(region=region, multiple=2, block=2)))
    opened = open_store(report.path)
    assert opened.sizes["y"] < 10 // 2 + 1
    full = prepare(plan(tmp_path, output=tmp_path / "full.zarr"))
    fine = open_store(full.path)
    i, j = 1, 1
    rows = fine.t2m.sel(y=slice(float(opened.y[i]) + 2000, float(opened.y[i]) - 2000))
    block = rows.sel(x=slice(float(opened.x[j]) - 2000, float(opened.x[j]) + 2000))
    assert block.shape[1:] == (2, 2)
    np.testing.assert_allclose(opened.t2m[:, i, j], block.mean(("y", "x")), rtol=1e-6)


def test_a_region_of_cells_that_move_is_refused() -> None:
    """Events of SEVIR lie each in a place of its own, so their dataset has no latitudes."""
    axes = {"y": np.arange(4.0), "x": np.arange(5.0)}
    source = xr.Dataset(coords=axes, attrs={"rows": "north-to-south", "winds": "earth-relative"})
    with pytest.raises(Incompatible, match="cells keep their place"):
        Placement(source, None, Target(region=(37, -103, 39, -99)))


@pytest.mark.usefixtures("archive")
def test_regridding_to_another_lambert_grid_is_bilinear(tmp_path: Path) -> None:
    target = Grid(crs=LAMBERT, shape=(4, 5), spacing=(3000.0, 3000.0), origin=(304500.0, 607500.0))
    opened = open_store(prepare(plan(tmp_path, target=Target(grid=target))).path)
    t = field(0, 280 - 273.15)
    expected = (t[1:5, 2:7] + t[2:6, 2:7] + t[1:5, 3:8] + t[2:6, 3:8]) / 4
    np.testing.assert_allclose(opened.t2m[0], expected[::-1], atol=2e-3)


@pytest.mark.usefixtures("archive")
def test_grid_relative_winds_need_both_components(tmp_path: Path) -> None:
    base = request(tmp_path / "raw")
    alone = request(tmp_path / "raw", entries=tuple(e for e in base.entries if e.id != "v10"))
    with pytest.raises(Incompatible, match="v10"):
        prepare(plan(tmp_path, request=alone))


@pytest.mark.usefixtures("archive")
def test_two_preparations_of_one_store_conflict(tmp_path: Path) -> None:
    with (tmp_path / ".out.zarr.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict):
            prepare(plan(tmp_path))
    assert prepare(plan(tmp_path)).written > 0


_FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from tiny_grib import request
from wxreg.data.prepare import PreparePlan, prepare
from wxreg.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))
root = Path({root!r})
try:
    prepare(PreparePlan(request=request(root / "raw"), output=root / "out.zarr"))
except StorageError as error:
    print(error.code)
"""


@pytest.mark.usefixtures("archive")
def test_a_full_disk_is_said_and_the_work_goes_on_afterwards(tmp_path: Path) -> None:
    script = _FULL_DISK.format(paths=[str(Path(__file__).parent)], root=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["REG-830"], done.stderr
    assert not (tmp_path / "out.zarr").exists()
    assert prepare(plan(tmp_path)).times == 6


def test_times_that_come_twice_or_backwards_are_refused(tmp_path: Path) -> None:
    for order, word in (([0, 1, 1, 2], "twice"), ([0, 2, 1, 3], "out of order")):
        hours = np.array(order) * np.timedelta64(1, "h") + np.datetime64(START, "ns")
        path = tmp_path / f"{word}.zarr"
        values = np.ones((4, 10, 12), "f4")
        xr.Dataset(
            {"t2m": (("time", "y", "x"), values)},
            coords={"time": hours, "y": np.arange(10.0), "x": np.arange(12.0)},
            attrs={"wxreg": {}},
        ).to_zarr(path, consolidated=False)
        base = request(path, layout="canonical", grid=None, times=None)
        only = request(path, layout="canonical", grid=None, times=None, entries=base.entries[:1])
        with pytest.raises(IntegrityError, match=word):
            prepare(PreparePlan(request=only, output=tmp_path / "out.zarr"))


_HOURS = """
import resource, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from full_grid import full_request
from wxreg.data.prepare import PreparePlan, prepare
root, hours = Path({root!r}), {hours}
prepare(PreparePlan(request=full_request(root, hours), output=root / f"{{hours}}.zarr"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.slow
@pytest.mark.real
def test_memory_is_flat_in_the_number_of_times(tmp_path: Path) -> None:
    from full_grid import write_full_grid

    write_full_grid(tmp_path, 200)
    sizes = []
    for hours in (50, 200):
        script = _HOURS.format(paths=[str(Path(__file__).parent)], root=str(tmp_path), hours=hours)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        sizes.append(float(done.stdout))
    print(f"resident GiB at 50 and 200 full-grid hours: {sizes}")
    assert sizes[1] <= 1.1 * sizes[0]
    assert sizes[1] < 2.0
