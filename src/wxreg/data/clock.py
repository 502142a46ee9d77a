"""Moments as text and as numbers of an axis, in the standard and in model calendars."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import cftime
import numpy as np
from numpy.typing import NDArray

from wxreg.leadtime import Duration
from wxreg.specs.timeaxis import normal_moment

if TYPE_CHECKING:
    import xarray as xr

Times = NDArray[Any]
"""datetime64[ns], or cftime objects where the calendar has no datetime64."""


def parse_moment(text: str) -> datetime:
    """A moment of the standard calendar as a naive UTC datetime."""
    return datetime.fromisoformat(normal_moment(text))


def moment_text(value: Any) -> str:
    """``2023-06-01T00:00`` for a datetime, a datetime64 or a cftime object."""
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[m]"))
    if isinstance(value, cftime.datetime):
        date = f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
        return f"{date}T{value.hour:02d}:{value.minute:02d}"
    return str(value.strftime("%Y-%m-%dT%H:%M"))


def moments_of(times: Times) -> list[str]:
    """The text of every time of an axis."""
    return [moment_text(value) for value in times]


def moment_keys(dataset: xr.Dataset) -> list[str]:
    """What tells the times of a dataset apart: their text, and ``#segment`` where it has segments.

    Events overlap, so that one time may stand in several of them.
    """
    if "time" not in dataset.coords:
        return []
    texts = moments_of(dataset["time"].values)
    if "segment" not in dataset.coords:
        return texts
    segments = dataset["segment"].values.tolist()
    return [f"{text}#{segment}" for text, segment in zip(texts, segments, strict=True)]


def shifted(times: Times, seconds: int) -> Times:
    """Times so many seconds later, as datetime64 or in a model's calendar."""
    if np.issubdtype(times.dtype, np.datetime64):
        return np.asarray(times + np.timedelta64(seconds, "s"))
    return np.asarray(times + timedelta(seconds=seconds))


def regular_times(start: str, end: str, cadence: Duration) -> list[datetime]:
    """The steps from ``start`` up to, not including, ``end``."""
    first, last = parse_moment(start), parse_moment(end)
    step = timedelta(seconds=cadence.seconds)
    return [first + i * step for i in range(max(0, -((first - last) // step)))]


def axis(times: list[datetime]) -> Times:
    """Datetimes as the datetime64[ns] values of an axis."""
    return np.array(times, dtype="datetime64[ns]")
