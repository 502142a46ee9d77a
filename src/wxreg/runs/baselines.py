"""Baselines of an evaluation: made on the model's own sides, for its inits and leads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wxreg.data.batches import BatchSource, WindowBatch
from wxreg.errors import Incompatible
from wxreg.ids import DataRef
from wxreg.library.loading import Library
from wxreg.models.baselines.baseline import FittedBaseline
from wxreg.models.building import build
from wxreg.runs.blueprints import untrained_blueprint
from wxreg.runs.sampling import member_block
from wxreg.runs.stores import loader_settings, ready_stores
from wxreg.specs.base import FrozenDict
from wxreg.specs.plan import SamplePlan

_FIT_BATCH = 16
Floats = NDArray[np.float32]


class BaselineForecasts:
    """One baseline, ready to forecast any init of the forecast that is scored."""

    def __init__(self, library: Library, plan: SamplePlan, name: str) -> None:
        """Build it, and fit it on the training split where it learns."""
        self.name = name
        self._plan = baseline_plan(library, plan, name)
        inputs, targets = ready_stores(library, plan.inputs, plan.targets)
        settings = loader_settings(
            plan, (inputs, targets), plan.leads, periods=plan.starts.periods or None, truth=False
        )
        self._source = BatchSource(settings)
        self._window = {int(init): n for n, init in enumerate(self._source.windows.init)}
        # Without statistics: baselines work in physical units.
        blueprint = untrained_blueprint(self._plan, {}, library.lexicon())
        self._forecaster = build(blueprint, seed=plan.seed).eval()
        if isinstance(self._forecaster, FittedBaseline) and self._forecaster.needs_fit:
            self._forecaster.fit(_training(library, plan))

    def at(self, init: int) -> Floats | None:
        """The forecast ``(L, D, Y, X)`` from an init; none where its inputs are missing."""
        if init not in self._window:
            return None
        batch = self._source.batch(np.array([self._window[init]]))
        forecast: Floats = member_block(self._forecaster, batch, self._plan, 0)[0]
        return forecast


def baseline_plan(library: Library, plan: SamplePlan, name: str) -> SamplePlan:
    """The plan of a baseline on the sides, inits and leads of another system's forecast."""
    entry = library.model(name)
    if entry.training.kind == "gradient":
        raise Incompatible(
            "REG-465",
            f"{name} is trained by gradients and cannot be made on the way",
            hint=f"`reg sample {name}` and evaluate its forecast beside this one",
        )
    joint = plan.lead.model_copy(update={"mode": "joint", "trained": plan.leads})
    single = plan.sampling.model_copy(
        update={"members": 1, "member_batch": 1, "strategy": "deterministic",
                "sampler": FrozenDict(), "tile": None, "overlap": 0}
    )  # fmt: skip
    return plan.model_copy(
        update={"checkpoint": None, "selection": None, "architecture": entry.architecture,
                "lead": joint, "sampling": single}
    )  # fmt: skip


def _training(library: Library, plan: SamplePlan) -> Iterator[WindowBatch]:
    """Every window of the training split of the targets, in order."""
    splits = library.version(DataRef.parse(plan.targets.dataset)).splits
    inputs, targets = ready_stores(library, plan.inputs, plan.targets)
    source = BatchSource(
        loader_settings(
            plan, (inputs, targets), plan.leads, periods=splits.periods("train"), truth=True
        )
    )
    for first in range(0, len(source), _FIT_BATCH):
        yield source.batch(np.arange(first, min(first + _FIT_BATCH, len(source))))
