"""The loader against bare zarr reading and decoding the same chunks, and against xbatcher."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from measure import Figure, paired, report

from wxreg.data.batches import BatchSource, WindowLoader
from wxreg.data.order import Order
from wxreg.data.samples import LoaderSettings, View
from wxreg.data.stores import StoredVariable, create_store

VARIABLES = ("t2m", "u10", "v10", "refc")
TIMES, SIDE, BATCH = 48, 384, 4


def main() -> list[Figure]:
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.zarr"
        write_store(path)
        source = BatchSource(settings(path))
        order = Order(len(source), BATCH, seed=1)
        ours = loading(source, order)
        chunks = paired(ours, bare_zarr(path, source, order), repeats=5)
        windows = paired(ours, xbatcher(path), repeats=3)
    return [
        rate("loader-against-bare-zarr", chunks.ratio, 0.9, chunks.ours, chunks.other, order),
        rate("loader-against-xbatcher", windows.ratio, 1.0, windows.ours, windows.other, order),
    ]


def rate(name: str, ratio: float, floor: float, ours: float, other: float, order: Order) -> Figure:
    """Samples a second of both sides, as a claim that ours has at least ``floor`` times theirs."""
    samples = order.batches * order.batch
    return Figure(
        name, 1 / ratio, floor, samples / ours, samples / other, unit="samples/s", at_least=True
    )


def settings(path: Path) -> LoaderSettings:
    view = View(path, VARIABLES)
    return LoaderSettings(view, view, history=(-3600, 0), leads=(3600,), memory=0)


def write_store(path: Path) -> None:
    """Smooth fields with fine noise, as packed weather has: in the layout of prepared stores."""
    draw = np.random.default_rng(0)
    shape = (TIMES, SIDE, SIDE)
    times = np.datetime64("2023-06-01", "ns") + np.arange(TIMES) * np.timedelta64(1, "h")
    y, x = np.arange(SIDE)[::-1] * 3e3, np.arange(SIDE) * 3e3
    place = np.broadcast_to(y[:, None], shape[1:])
    group = create_store(
        path,
        tuple(StoredVariable(name, ("time", "y", "x"), shape, {}) for name in VARIABLES),
        {
            "time": xr.Variable("time", times),
            "y": xr.Variable("y", y),
            "x": xr.Variable("x", x),
            "lat": xr.Variable(("y", "x"), place),
            "lon": xr.Variable(("y", "x"), place),
        },
        {"wxreg": {}},
    )
    for name in VARIABLES:
        smooth = draw.normal(size=shape).cumsum(axis=1, dtype="f4")
        array = group[name]
        assert isinstance(array, zarr.Array)
        array[...] = np.round(smooth.astype("f4") * 8) / 8


def loading(source: BatchSource, order: Order) -> Callable[[], object]:
    loader = WindowLoader(source, order)
    return lambda: [float(batch.inputs[0, 0, 0, 0, 0]) for batch in loader.at(0)]


def bare_zarr(path: Path, source: BatchSource, order: Order) -> Callable[[], object]:
    """Each batch's chunks once, one after the other, and nothing else."""
    arrays = [zarr.open_array(path / name, mode="r") for name in VARIABLES]
    needed = []
    for part in order.batches_from(0):
        chosen = source.windows.choose(part)
        needed.append(np.unique(np.concatenate([chosen.inputs.ravel(), chosen.targets.ravel()])))

    def read() -> None:
        for times in needed:
            for array in arrays:
                for time in times:
                    array[int(time)]

    return read


def xbatcher(path: Path) -> Callable[[], object]:
    """The same windows, in time order, as xbatcher makes them from the same store."""
    from xbatcher import BatchGenerator

    opened = xr.open_zarr(path, consolidated=False, chunks=None)[list(VARIABLES)]

    def read() -> None:
        size = {"time": 3, "y": SIDE, "x": SIDE}
        batches = BatchGenerator(opened, size, input_overlap={"time": 2}, preload_batch=False)
        for batch in batches:
            batch.to_array().values.sum()

    return read


if __name__ == "__main__":
    report(main())
