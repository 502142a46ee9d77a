"""Small canonical stores for the tests of windows, batches and forecasts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr


def write_store(
    path: Path,
    *,
    times: np.ndarray,
    shape: tuple[int, int] = (8, 12),
    variables: tuple[str, ...] = ("t2m", "refc"),
    segments: np.ndarray | None = None,
    levels: tuple[float, ...] = (),
    spacing: float = 1.0,
    missing: float = 0.0,
    chunk: int = 1,
    seed: int = 0,
) -> xr.Dataset:
    """A store whose values tell where they come from: ``1000 · time + place`` plus noise."""
    draw = np.random.default_rng(seed)
    count = len(times)
    data = {}
    for number, name in enumerate(variables):
        values = draw.normal(size=(count, *shape)).astype("f4")
        values += 1000 * np.arange(count, dtype="f4")[:, None, None] + 100 * number
        values[draw.random(values.shape) < missing] = np.nan
        data[name] = (("time", "y", "x"), values)
    if levels:
        shape_4d = (count, len(levels), *shape)
        data["t"] = (("time", "level", "y", "x"), draw.normal(size=shape_4d).astype("f4"))
    data["orog"] = (("y", "x"), draw.normal(size=shape).astype("f4"))
    y = (np.arange(shape[0])[::-1] + 0.5) * spacing
    x = (np.arange(shape[1]) + 0.5) * spacing
    coords = {
        "time": times,
        "y": y,
        "x": x,
        "lat": (("y", "x"), np.broadcast_to(y[:, None], shape).copy()),
        "lon": (("y", "x"), np.broadcast_to(x[None], shape).copy()),
    }
    if segments is not None:
        coords["segment"] = ("time", np.asarray(segments, "i4"))
    if levels:
        coords["level"] = list(levels)
    made = xr.Dataset(data, coords)
    encoding = {
        name: {"chunks": (chunk,) + (1,) * (made[name].ndim - 3) + shape}
        for name in made.data_vars
        if "time" in made[name].dims
    }
    made.to_zarr(path, mode="w", encoding=encoding, zarr_format=3, consolidated=False)
    return made


def hours(count: int, start: str = "2023-06-01T00:00", step: int = 1) -> np.ndarray:
    return np.datetime64(start, "ns") + np.arange(count) * np.timedelta64(step, "h")
