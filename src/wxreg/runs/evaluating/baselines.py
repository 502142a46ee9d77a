"""Baselines of an evaluation: made on the model's own sides, for its inits and leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.canonical import digest
from wxreg.data.batches import BatchSource, WindowBatch
from wxreg.data.windows import Start
from wxreg.errors import Incompatible
from wxreg.ids import NATIVE, DataRef
from wxreg.leadtime import ZERO
from wxreg.library.loading import Library
from wxreg.models.baselines.baseline import FittedBaseline
from wxreg.models.building import build
from wxreg.runs.blueprints import untrained_blueprint
from wxreg.runs.evaluating.fields import ForecastFields
from wxreg.runs.sampling.members import member_block
from wxreg.runs.sampling.observing import observe_period
from wxreg.runs.stores import loader_settings, ready_stores
from wxreg.specs.base import FrozenDict
from wxreg.specs.plan import SamplePlan

_FIT_BATCH = 16
_ONE_AT_A_TIME = Lock()
"""Forecasters draw from torch's one generator of a process."""
Floats = NDArray[np.float32]


class BaselineForecasts:
    """One baseline, ready to forecast any init of the forecast that is scored."""

    def __init__(self, library: Library, plan: SamplePlan, name: str) -> None:
        """Build it, and fit it on the training split where it learns."""
        self.name = name
        plan = _from_the_state(plan)
        self.members = 1
        self._plan = baseline_plan(library, plan, name)
        self._channels = plan.targets.channels
        inputs, targets = ready_stores(library, plan.inputs, plan.targets)
        settings = loader_settings(
            plan, (inputs, targets), plan.leads, periods=plan.starts.periods or None, truth=False
        )
        self._source = BatchSource(settings)
        self._window = {start: n for n, start in enumerate(self._source.windows.starts)}
        # Without statistics: baselines work in physical units.
        blueprint = untrained_blueprint(self._plan, {}, library.lexicon())
        self._forecaster = build(blueprint, seed=plan.seed).eval()
        if isinstance(self._forecaster, FittedBaseline) and self._forecaster.needs_fit:
            self._forecaster.fit(_training(library, plan))
        observe_period(self._forecaster, self._source, plan)
        self.digest = _system_digest(library, self._plan)

    def reads(self, start: Start) -> Callable[[int], Callable[[str], Floats]] | None:
        """Fields ``(1, Y, X)`` by position of the lead and channel; none as in :meth:`at`."""
        made = self.at(start)
        if made is None:
            return None
        return lambda number: lambda channel: made[number, self._channels.index(channel)][None]

    def at(self, start: Start) -> Floats | None:
        """The forecast ``(L, D, Y, X)`` from a start; none where its inputs are missing."""
        if start not in self._window:
            return None
        with _ONE_AT_A_TIME:
            batch = self._source.batch(np.array([self._window[start]]))
            forecast: Floats = member_block(self._forecaster, batch, self._plan, 0)[0]
        return forecast


class StoredBaseline:
    """Another forecast store, which must hold the same leads."""

    def __init__(self, forecast: ForecastFields, leads: tuple[int, ...]) -> None:
        self.name = forecast.path.stem
        self.members = forecast.members
        self.digest = forecast.digest
        self._forecast = forecast
        self._leads = [forecast.leads.index(lead) for lead in leads]
        self._position = {start: position for position, start in enumerate(forecast.starts)}

    def reads(self, start: Start) -> Callable[[int], Callable[[str], Any]] | None:
        """Its fields ``(members, Y, X)``; none where it has no such start."""
        position = self._position.get(start)
        if position is None:
            return None
        read = self._forecast.read
        return lambda number: lambda channel: read(position, self._leads[number], channel)


def _system_digest(library: Library, plan: SamplePlan) -> str:
    """What determines a baseline's forecasts: its plan, and what it learns from."""
    splits = library.version(DataRef.parse(plan.targets.dataset)).splits
    learned = [period.body() for period in splits.periods("train")]
    return digest("baseline", {"plan": plan.digest(), "train": learned}, format=1)


def baseline_plan(library: Library, plan: SamplePlan, name: str) -> SamplePlan:
    """The plan of a baseline on the sides, inits and leads of another system's forecast."""
    entry = library.model(name)
    if entry.training.kind == "gradient":
        raise Incompatible(
            "REG-465",
            f"{name} is trained by gradients and cannot be made on the way",
            hint=f"`reg sample {name}` and evaluate its forecast beside this one",
        )
    if entry.inputs.view != NATIVE and entry.architecture.name == "archive":
        raise Incompatible(
            "REG-465",
            f"{name} reads its own archive and cannot be made from the inputs of another system",
            hint=f"evaluate both: `reg evaluate {plan.about.model} {name}`",
        )
    joint = plan.lead.model_copy(update={"mode": "joint", "trained": plan.leads})
    single = plan.sampling.model_copy(
        update={"members": 1, "member_batch": 1, "strategy": "deterministic",
                "sampler": FrozenDict(), "tile": None, "overlap": 0, "parameters": False}
    )  # fmt: skip
    return plan.model_copy(
        update={"checkpoint": None, "selection": None, "architecture": entry.architecture,
                "lead": joint, "sampling": single}
    )  # fmt: skip


def _from_the_state(plan: SamplePlan) -> SamplePlan:
    """Where a system reads an archived forecast, its baselines start from the state instead."""
    if plan.inputs.forecast is None:
        return plan
    return plan.model_copy(update={"inputs": plan.targets, "history": (ZERO,)})


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
