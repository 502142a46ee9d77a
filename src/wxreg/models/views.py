"""Other views of a batch: some channels, a coarser grid, a tile, or the next step of a roll-out."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from wxreg.models.coarsening import block_mean, masked_block_mean
from wxreg.models.forecaster import Batch


@dataclass(frozen=True)
class View:
    """A batch made from another one."""

    inputs: Tensor
    input_mask: Tensor
    static: Tensor
    target: Tensor | None
    target_mask: Tensor | None
    lead_hours: Tensor
    time: Tensor
    lat: Tensor
    lon: Tensor

    @classmethod
    def of(cls, batch: Batch) -> View:
        """The whole batch."""
        return cls(**{field.name: getattr(batch, field.name) for field in fields(cls)})


def select_channels(batch: Batch, inputs: list[int], targets: list[int]) -> Batch:
    """The numbered input and target channels."""
    view = View.of(batch)
    return replace(
        view,
        inputs=view.inputs[:, :, inputs],
        input_mask=view.input_mask[:, :, inputs],
        target=None if view.target is None else view.target[:, :, targets],
        target_mask=None if view.target_mask is None else view.target_mask[:, :, targets],
    )


def coarsen(batch: Batch, factor: int) -> Batch:
    """Means over blocks of ``factor`` cells, of real values only."""
    if factor == 1:
        return batch
    view = View.of(batch)
    inputs, input_mask = _coarse(view.inputs, view.input_mask, factor)
    changed = replace(
        view,
        inputs=inputs,
        input_mask=input_mask,
        static=block_mean(view.static, factor),
        lat=_coarse_degrees(view.lat, factor),
        lon=_coarse_degrees(view.lon, factor),
    )
    if view.target is None or view.target_mask is None:
        return changed
    target, target_mask = _coarse(view.target, view.target_mask, factor)
    return replace(changed, target=target, target_mask=target_mask)


def _coarse(values: Tensor, mask: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    lead, shape = values.shape[:2], values.shape[2:]
    means, real = masked_block_mean(
        values.reshape(-1, *shape), mask.reshape(-1, *shape), factor
    )  # fmt: skip
    return means.reshape(*lead, *means.shape[1:]), real.reshape(*lead, *real.shape[1:])


def _coarse_degrees(degrees: Tensor, factor: int) -> Tensor:
    """Means in double precision: a rounding error would break their order."""
    shape = degrees.shape[:-2]
    flat = degrees.double().reshape(-1, 1, *degrees.shape[-2:])
    means = block_mean(flat, factor)
    return means.reshape(*shape, *means.shape[-2:]).to(degrees.dtype)


def crop(batch: Batch, rows: slice, columns: slice) -> Batch:
    """A tile of a batch, in cells of the target grid; coarser inputs are cut over its area."""
    view = View.of(batch)
    factor = view.lat.shape[-2] // view.inputs.shape[-2]
    coarse = (..., *(slice(s.start // factor, -(-s.stop // factor)) for s in (rows, columns)))
    fine = (..., rows, columns)
    cut: dict[str, Any] = {}
    for name in ("inputs", "input_mask", "static", "target", "target_mask", "lat", "lon"):
        field = getattr(view, name)
        if field is not None:
            cut[name] = field[coarse if name.startswith("input") else fine]
    return replace(view, **cut)


def repeat_members(batch: Batch, members: int) -> View:
    """Each sample ``members`` times over, members side by side."""
    view = View.of(batch)
    names = ("inputs", "input_mask", "static", "lead_hours", "time")
    repeated = {name: getattr(view, name).repeat_interleave(members, dim=0) for name in names}
    for name in ("lat", "lon"):
        if getattr(view, name).dim() == 3:
            repeated[name] = getattr(view, name).repeat_interleave(members, dim=0)
    return replace(view, **repeated, target=None, target_mask=None)


def step_forward(
    batch: Batch, state: Tensor, state_mask: Tensor, hours: float, lead_hours: Tensor
) -> View:
    """The batch one step on: the oldest input step leaves, ``state`` ``(B, C, Y, X)`` joins."""
    view = View.of(batch)
    return replace(
        view,
        inputs=torch.cat([view.inputs[:, 1:], state[:, None]], dim=1),
        input_mask=torch.cat([view.input_mask[:, 1:], state_mask[:, None]], dim=1),
        time=view.time + hours * 3600.0,
        lead_hours=lead_hours,
        target=None,
        target_mask=None,
    )
