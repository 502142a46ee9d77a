"""Our batches to Aurora's and back: names, units, missing values, the patch and the compass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from wxreg.errors import Incompatible
from wxreg.models.aurora_names import STATIC, Layout, factor
from wxreg.models.aurora_timm import load_aurora
from wxreg.models.conditional_unet import check_divides, padded_shape
from wxreg.models.forecaster import Batch, Channel
from wxreg.models.settings import AuroraSettings


@dataclass(frozen=True)
class AuroraGrid:
    """The grid as given, and the multiple of the patch that Aurora sees."""

    shape: tuple[int, int]
    inner: tuple[int, int]

    @classmethod
    def fit(cls, shape: tuple[int, int], settings: AuroraSettings) -> AuroraGrid:
        """Pad to a multiple of the patch, or refuse and name what would fit."""
        if settings.pad == "refuse":
            check_divides(shape, settings.patch_size, "the patch of Aurora")
        return cls(shape, padded_shape(shape, settings.patch_size))

    def enter(self, fields: Tensor) -> Tensor:
        """Repeat the south and east edges of ``(..., Y, X)`` out to the inner grid."""
        more = [inner - outer for inner, outer in zip(self.inner, self.shape, strict=True)]
        if not any(more):
            return fields
        flat = fields.reshape(-1, 1, *self.shape)
        padded = functional.pad(flat, (0, more[1], 0, more[0]), mode="replicate")
        return padded.reshape(*fields.shape[:-2], *self.inner)

    def leave(self, fields: Tensor) -> Tensor:
        """Cut the padding off again."""
        return fields[..., : self.shape[0], : self.shape[1]]

    def enter_degrees(self, degrees: Tensor) -> Tensor:
        """Continue latitudes or longitudes ``(Y, X)`` by their last difference."""
        for axis, size in enumerate(self.inner):
            while degrees.shape[axis] < size:
                last = degrees.narrow(axis, degrees.shape[axis] - 1, 1)
                before = degrees.narrow(axis, degrees.shape[axis] - 2, 1)
                degrees = torch.cat([degrees, 2 * last - before], axis)
        return degrees


def to_aurora(
    batch: Batch, values: Tensor, layout: Layout, statics: Sequence[Channel], grid: AuroraGrid
) -> Any:
    """An ``aurora.Batch`` of transformed, gapless ``values`` ``(B, H, C, Y, X)``."""
    aurora = load_aurora()
    entered = grid.enter(values * _factors(layout.channels, values))
    fixed = grid.enter(batch.static[0] * _factors(statics, batch.static))
    lat, lon = _compass(batch, grid)
    return aurora.Batch(
        surf_vars={name: entered[:, :, place] for name, place in layout.surface},
        atmos_vars={name: entered[:, :, list(places)] for name, places in layout.atmosphere},
        static_vars={
            STATIC.get(channel.variable, channel.variable): plane
            for channel, plane in zip(statics, fixed, strict=True)
        },
        metadata=aurora.Metadata(
            lat=lat,
            lon=lon,
            time=tuple(datetime.fromtimestamp(float(t), UTC) for t in batch.time),
            atmos_levels=layout.levels,
        ),
    )


def to_planes(forecast: Any, layout: Layout, grid: AuroraGrid) -> Tensor:
    """The transformed values ``(B, C, Y, X)`` of an Aurora forecast, in our order and units."""
    planes: dict[int, Tensor] = {}
    for name, place in layout.surface:
        planes[place] = forecast.surf_vars[name][:, 0]
    for name, places in layout.atmosphere:
        planes.update(zip(places, forecast.atmos_vars[name][:, 0].unbind(1), strict=True))
    stacked = torch.stack([planes[place] for place in range(len(planes))], dim=1)
    return grid.leave(stacked / _factors(layout.channels, stacked))


def _factors(channels: Sequence[Channel], like: Tensor) -> Tensor:
    return torch.tensor([factor(c) for c in channels], dtype=like.dtype).reshape(-1, 1, 1).to(like)


def _compass(batch: Batch, grid: AuroraGrid) -> tuple[Tensor, Tensor]:
    """Latitudes and longitudes that run north to south and west to east, 0 to 360."""
    lat, lon = _shared(batch.lat).float(), torch.remainder(_shared(batch.lon).float(), 360.0)
    if not lat.is_meta and not bool((lat[1:] < lat[:-1]).all()):
        raise Incompatible(
            "REG-446",
            "the rows of this grid do not run from north to south",
            hint="`reg data prepare` turns rows north-up",
        )
    if not lon.is_meta and not bool((lon[:, 1:] > lon[:, :-1]).all()):
        raise Incompatible(
            "REG-446", "the columns of this grid do not run from west to east within 0° to 360°"
        )
    return grid.enter_degrees(lat), grid.enter_degrees(lon)


def _shared(degrees: Tensor) -> Tensor:
    """The one grid of a batch: Aurora takes a single one."""
    if degrees.dim() == 2:
        return degrees
    if not degrees.is_meta and not bool((degrees == degrees[:1]).all()):
        raise Incompatible(
            "REG-440", "Aurora takes one grid a batch", hint="use a batch of 1 with moving tiles"
        )
    return degrees[0]
