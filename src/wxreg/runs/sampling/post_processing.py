"""Declared post-processing: corrections fitted on the training split, then laid on a forecast.

The forecaster forecasts some training windows itself; what it gets wrong there on average
(``mean-bias``), or how its values are distributed against the truth (``quantile``), is taken
out of the forecast.  Corrections act in the declared order, each fitted on the result of those
before it, for every channel and lead time apart.  Results stay in the variable's range.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wxreg.artifacts.digests import field_digest, merkle_root
from wxreg.artifacts.sealing import storage_errors
from wxreg.data.batches import BatchSource, WindowBatch
from wxreg.errors import Incompatible
from wxreg.ids import DataRef
from wxreg.library.loading import Library
from wxreg.models.baselines.quantiles import map_quantiles, quantiles_of
from wxreg.runs.stores import loader_settings, ready_stores
from wxreg.specs.plan import SamplePlan
from wxreg.specs.sampling import PostStep

Block = NDArray[np.float32]
Forecast = Callable[[WindowBatch], Block]
"""The first member block of one init ``(M, L, D, Y, X)``."""


@dataclass(frozen=True)
class Correction:
    """One fitted step: tables ``(…, L, D, Y, X)``, or ``(…, L, D, 1, 1)`` for the whole domain."""

    step: PostStep
    tables: Mapping[str, Tensor]

    def corrected(self, forecast: Tensor) -> Tensor:
        """A forecast ``(M, L, D, Y, X)`` with this step carried out."""
        if self.step.name == "mean-bias":
            return forecast - self.tables["bias"]
        grid = forecast.shape[1:]
        made, observed = (self.tables[name].expand(-1, *grid) for name in ("made", "observed"))
        return map_quantiles(forecast, made.contiguous(), observed.contiguous())


@dataclass(frozen=True)
class PostProcessing:
    """The fitted steps of a plan, in order, and the range of each channel."""

    corrections: tuple[Correction, ...] = ()
    lowest: tuple[float, ...] = ()
    highest: tuple[float, ...] = ()

    def __call__(self, block: Block) -> Block:
        """The corrected members; unchanged where the plan declares no step."""
        if not self.corrections:
            return block
        forecast = torch.from_numpy(block).double()
        for correction in self.corrections:
            forecast = correction.corrected(forecast)
        low, high = (
            torch.tensor(ends, dtype=torch.float64)[:, None, None]
            for ends in (self.lowest, self.highest)
        )
        inside = torch.minimum(torch.maximum(forecast, low), high)  # NaN stays NaN
        return np.ascontiguousarray(inside.float().numpy())

    def digest(self) -> str:
        """The identity of every fitted number."""
        planes = (t for one in self.corrections for t in one.tables.values())
        return merkle_root(
            field_digest(table.float().reshape(-1, table.shape[-1]).numpy()) for table in planes
        )

    def save(self, path: Path) -> None:
        """Keep the tables beside the run's other files."""
        arrays = {
            f"{number}.{one.step.name}.{name}": table.numpy()
            for number, one in enumerate(self.corrections, 1)
            for name, table in one.tables.items()
        }
        with storage_errors(path):
            np.savez(path, allow_pickle=False, **arrays)

    def record(self) -> list[dict[str, Any]]:
        """What the run and the forecast say of it."""
        return [one.step.model_dump(mode="json") for one in self.corrections]


def fit_post_processing(library: Library, plan: SamplePlan, forecast: Forecast) -> PostProcessing:
    """Forecast training windows and fit every declared step."""
    if not plan.post:
        return PostProcessing()
    source = _training_source(library, plan)
    most = max(step.windows for step in plan.post)
    chosen = np.unique(np.linspace(0, len(source) - 1, min(most, len(source))).round())
    batches = [source.batch(np.asarray([int(window)])) for window in chosen]
    made = torch.stack([torch.from_numpy(forecast(batch)).double() for batch in batches])
    truth = torch.stack([_truth(batch) for batch in batches])
    corrections = []
    for step in plan.post:
        correction = _fitted(step, made, truth)
        corrections.append(correction)
        made = torch.stack([correction.corrected(one) for one in made])
    ranges = [library.lexicon()[name.partition("@")[0]].range for name in plan.targets.channels]
    ends = tuple(
        tuple(float(side) if end is None else float(end) for end in column)
        for side, column in zip(("-inf", "inf"), zip(*ranges, strict=True), strict=True)
    )
    return PostProcessing(tuple(corrections), *ends)


def _fitted(step: PostStep, made: Tensor, truth: Tensor) -> Correction:
    """Fit on forecasts ``(N, M, L, D, Y, X)`` and truths ``(N, L, D, Y, X)``."""
    if step.name == "mean-bias":
        error = (made - truth[:, None]).flatten(0, 1)
        over: Sequence[int] = (0,) if step.by_place else (0, -2, -1)
        bias = error.nanmean(dim=tuple(over), keepdim=True)[0]
        return Correction(step, {"bias": bias.nan_to_num(0.0)})
    tables = {
        name: quantiles_of(_samples(step, values), step.quantiles)
        for name, values in (("made", made.flatten(0, 1)), ("observed", truth))
    }
    return Correction(step, tables)


def _samples(step: PostStep, values: Tensor) -> Tensor:
    """Values as samples along the first axis: of each cell, or of the whole domain."""
    if step.by_place:
        return values
    return values.movedim(0, -1).flatten(-3).movedim(-1, 0)[..., None, None]


def _truth(batch: WindowBatch) -> Tensor:
    assert batch.target is not None and batch.target_mask is not None
    return batch.target[0].double().masked_fill(~batch.target_mask[0], torch.nan)


def _training_source(library: Library, plan: SamplePlan) -> BatchSource:
    """The windows of the training split, with what really happened."""
    inputs, targets = ready_stores(library, plan.inputs, plan.targets)
    periods = library.version(DataRef.parse(plan.targets.dataset)).splits.periods("train")
    source = BatchSource(
        loader_settings(plan, (inputs, targets), plan.leads, periods=periods, truth=True)
    )
    if not len(source):
        raise Incompatible(
            "REG-461",
            f"the training split of {plan.targets.dataset} has no window to fit corrections on",
            where="post",
            hint="leave post out, or ask for shorter leads",
        )
    return source
