"""``training.kind: fit``: one pass over the training period becomes a sealed checkpoint."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wxreg.data.batches import BatchSource, WindowBatch
from wxreg.errors import Incompatible
from wxreg.models.baselines.baseline import FittedBaseline
from wxreg.models.forecaster import Forecaster
from wxreg.runs.checkpoints import save_checkpoint
from wxreg.runs.recording import Run
from wxreg.runs.training.files import Files
from wxreg.specs.plan import TrainPlan


def fit_once(
    plan: TrainPlan, forecaster: Forecaster, source: BatchSource, run: Run
) -> dict[str, int]:
    """Fit a baseline on every training window and write its checkpoint; what was seen."""
    if not isinstance(forecaster, FittedBaseline):
        raise Incompatible(
            "REG-447",
            f"{plan.architecture.name} cannot be fitted in one pass",
            hint="declare `training: {kind: gradient, …}`, or none if it learns nothing",
        )
    forecaster.fit(in_order(source, plan.training.batch))
    path = Files(run.folder).checkpoint(plan.training.select)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, forecaster, forecaster.state_dict(), plan, {})
    return {"windows": len(source)}


def in_order(source: BatchSource, size: int) -> Iterator[WindowBatch]:
    """Every window of a source once, in the order of time."""
    for first in range(0, len(source), size):
        yield source.batch(np.arange(first, min(first + size, len(source))))
