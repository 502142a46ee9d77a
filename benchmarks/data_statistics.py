"""Statistics of a store against one bare sum-and-squares pass over the same chunks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from measure import Figure, paired, report

from wxreg.data.statistics import DEFAULT_QUANTILES, StatisticsPlan, compute
from wxreg.data.stores import StoredVariable, create_store
from wxreg.leadtime import Duration
from wxreg.specs.timeaxis import Period, Splits
from wxreg.specs.variables import Variable

TIMES, ROWS, COLUMNS = 48, 1059, 1799
START = np.datetime64("2023-06-01", "ns")


def write_store(path: Path) -> None:
    """Temperature-like fields in the canonical layout."""
    draw = np.random.default_rng(0)
    shape = (TIMES, ROWS, COLUMNS)
    stored = StoredVariable("t2m", ("time", "y", "x"), shape, {"units": "K"})
    times = START + np.arange(TIMES) * np.timedelta64(1, "h")
    coords = {"time": xr.Variable("time", times)}
    group = create_store(path, (stored,), coords, {"wxreg": {}})
    smooth = 280 + 10 * np.sin(np.mgrid[:ROWS, :COLUMNS].sum(0) / 90)
    fields = smooth + np.round(draw.normal(0, 1, shape), 1)
    array = group["t2m"]
    assert isinstance(array, zarr.Array)
    array[...] = fields.astype(np.float32)


def bare(path: Path) -> tuple[float, float]:
    """Read each chunk once; sum and sum of squares in float64."""
    array = zarr.open_array(path / "t2m", mode="r")
    total = squares = 0.0
    for i in range(TIMES):
        values = np.asarray(array[i], np.float64)
        total += float(values.sum())
        squares += float(np.square(values).sum())
    return total, squares


def plan(path: Path, *, full: bool) -> StatisticsPlan:
    periods = [(f"2023-06-0{d}T00:00", f"2023-06-0{d + 1}T00:00") for d in (1, 4, 6)]
    train, validation, test = (Period(start=a, end=b) for a, b in periods)
    whole = Period(start="2023-06-01T00:00", end="2023-06-03T00:00")
    assert train.start == whole.start
    return StatisticsPlan(
        id="bench",
        dataset="bench@1",
        source_digest="0" * 64,
        store=path,
        splits=Splits(train=(whole,), validation=(validation,), test=(test,)),
        variables=(Variable(id="t2m", long_name="t", units="K", range=(180.0, 340.0)),),
        steps=(Duration(3600),) if full else (),
        quantiles=DEFAULT_QUANTILES if full else (),
    )


def main() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.zarr"
        write_store(path)
        moments, full = plan(path, full=False), plan(path, full=True)
        mean = compute(moments).channels["t2m"].values.mean
        assert abs(mean - bare(path)[0] / (TIMES * ROWS * COLUMNS)) < 1e-6 * abs(mean)
        return [
            paired(lambda: compute(moments), lambda: bare(path)).figure("statistics_moments", 1.5),
            paired(lambda: compute(full), lambda: bare(path)).figure("statistics_full", 4.0),
        ]


if __name__ == "__main__":
    report(main())
