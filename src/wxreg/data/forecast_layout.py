"""What a forecast store holds, and how its arrays are cut into chunks and shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import zarr
from numpy.typing import NDArray

from wxreg.data.windows import Start
from wxreg.errors import UsageError

_CHUNK: Final = 256
"""The longest side of an inner chunk."""
_SHARD_BYTES: Final = 1 << 28
EPOCH: Final = "seconds since 1970-01-01"


@dataclass(frozen=True)
class ForecastLayout:
    """The axes of a forecast; every variable has all of them."""

    channels: tuple[str, ...]
    """The planes in the order of the model's output: ``refc``, ``t@500``."""
    inits: tuple[int, ...]
    """Init times in seconds since 1970 of the calendar."""
    leads: tuple[int, ...]
    """Lead times in seconds."""
    members: int
    member_block: int
    """How many members are written in one call; the last block may be smaller."""
    y: NDArray[np.float64]
    x: NDArray[np.float64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    calendar: str = "standard"
    units: Mapping[str, str] | None = None
    """Units by variable."""
    segments: tuple[int, ...] = ()
    """The segment (event) of each init time, where the dataset has any: two may start at once."""
    heads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By channel, the density whose parameters stand beside its members (:func:`head_planes`)."""

    @property
    def starts(self) -> tuple[Start, ...]:
        """Init time and segment of each forecast, in order; no two are alike."""
        if not self.segments:
            return tuple(Start(init) for init in self.inits)
        return tuple(map(Start, self.inits, self.segments))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.y), len(self.x)

    @property
    def planes(self) -> tuple[str, ...]:
        """What a block holds: all channels, then the means of all heads, then their deviations."""
        means_and_deviations = zip(*map(head_planes, self.heads), strict=True)
        return (*self.channels, *(name for names in means_and_deviations for name in names))

    @property
    def variables(self) -> tuple[str, ...]:
        """The arrays of the store."""
        return tuple(dict.fromkeys(plane.partition("@")[0] for plane in self.planes))

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels of variables that have levels."""
        return tuple(sorted({float(c.partition("@")[2]) for c in self.channels if "@" in c}))

    def plane(self, channel: str) -> tuple[str, float | None]:
        """The variable of a channel, and its level."""
        name, _, level = channel.partition("@")
        return name, float(level) if level else None

    def outline(self) -> dict[str, Any]:
        """The axes as JSON: equal outlines can continue each other's writing."""
        return {
            "channels": list(self.channels),
            "inits": list(self.inits),
            "leads": list(self.leads),
            "members": self.members,
            "member_block": self.member_block,
            "shape": list(self.shape),
            "calendar": self.calendar,
            **({"segments": list(self.segments)} if self.segments else {}),
            **({"heads": {c: dict(head) for c, head in self.heads.items()}} if self.heads else {}),
        }


def planes_of(outline: Mapping[str, Any]) -> tuple[str, ...]:
    """All planes of a store whose outline this is."""
    heads = [plane for channel in outline.get("heads", {}) for plane in head_planes(channel)]
    return (*map(str, outline.get("channels", ())), *heads)


def head_planes(channel: str) -> tuple[str, str]:
    """The planes that hold the mean and the standard deviation of a channel's head."""
    name, at, level = channel.partition("@")
    return f"{name}_head_mean{at}{level}", f"{name}_head_std{at}{level}"


def make_arrays(group: zarr.Group, layout: ForecastLayout) -> None:
    """Create every array of an empty store, with its coordinates filled."""
    _coordinates(group, layout)
    for name in layout.variables:
        levelled = any(plane.startswith(f"{name}@") for plane in layout.planes)
        if levelled and name in layout.channels:
            raise UsageError("REG-235", f"{name} is asked for both with and without levels")
        dims = ("init_time", "lead_time", "member", *(("level",) if levelled else ()), "y", "x")
        array = group.create_array(
            name,
            shape=_lengths(layout, levelled),
            dtype="float32",
            fill_value=np.float32("nan"),
            chunks=_chunks(layout, levelled),
            shards=_shards(layout, levelled),
            dimension_names=dims,
        )
        array.attrs["coordinates"] = "lat lon segment" if layout.segments else "lat lon"
        if layout.units and name in layout.units:
            array.attrs["units"] = layout.units[name]


def _coordinates(group: zarr.Group, layout: ForecastLayout) -> None:
    axes: list[tuple[str, Any, Sequence[str], dict[str, str]]] = [
        (
            "init_time",
            np.array(layout.inits, np.int64),
            ("init_time",),
            {
                "units": EPOCH,
                "calendar": layout.calendar,
                "standard_name": "forecast_reference_time",
            },
        ),
        (
            "lead_time",
            np.array(layout.leads, np.int64),
            ("lead_time",),
            {"units": "seconds", "standard_name": "forecast_period"},
        ),
        (
            "member",
            np.arange(layout.members, dtype=np.int64),
            ("member",),
            {"standard_name": "realization"},
        ),
        ("y", layout.y, ("y",), {"axis": "Y"}),
        ("x", layout.x, ("x",), {"axis": "X"}),
        (
            "lat",
            layout.lat,
            ("y", "x"),
            {"units": "degrees_north", "standard_name": "latitude"},
        ),
        (
            "lon",
            layout.lon,
            ("y", "x"),
            {"units": "degrees_east", "standard_name": "longitude"},
        ),
    ]
    if layout.levels:
        axes.append(("level", np.array(layout.levels), ("level",), {}))
    if layout.segments:
        about = {"long_name": "segment (event) that the forecast belongs to"}
        axes.append(("segment", np.array(layout.segments, np.int64), ("init_time",), about))
    for name, values, dims, attributes in axes:
        array = group.create_array(name, data=values, dimension_names=dims)
        array.attrs.update(attributes)


def _lengths(layout: ForecastLayout, levelled: bool) -> tuple[int, ...]:
    levels = (len(layout.levels),) if levelled else ()
    return (len(layout.inits), len(layout.leads), layout.members, *levels, *layout.shape)


def _chunks(layout: ForecastLayout, levelled: bool) -> tuple[int, ...]:
    sides = (min(_CHUNK, side) for side in layout.shape)
    return (1, 1, 1, *((1,) if levelled else ()), *sides)


def _shards(layout: ForecastLayout, levelled: bool) -> tuple[int, ...]:
    """One shard is what one call writes of one channel, or one lead of it where that is large."""
    sides = tuple(-(-side // min(_CHUNK, side)) * min(_CHUNK, side) for side in layout.shape)
    field = 4 * sides[0] * sides[1]
    block = min(layout.member_block, layout.members)
    leads = len(layout.leads) if field * block * len(layout.leads) <= _SHARD_BYTES else 1
    return (1, leads, block, *((1,) if levelled else ()), *sides)
