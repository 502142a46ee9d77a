"""Everything a request touches, gathered once so that every rule can look at all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wxreg.ids import NATIVE, DataRef
from wxreg.library.loading import Library
from wxreg.resolve.request import Request

if TYPE_CHECKING:
    from wxreg.leadtime import Duration
    from wxreg.specs.dataset import Description, Version, View
    from wxreg.specs.grid import Grid
    from wxreg.specs.model import Model, Side
    from wxreg.specs.statistics import Statistics
    from wxreg.specs.variables import Variable, VariableEntry


@dataclass(frozen=True)
class Hold:
    """One side of a model held against one dataset and, if there is one, a version of it."""

    role: str
    side: Side
    ref: DataRef
    description: Description
    entries: Mapping[str, VariableEntry]
    version: Version | None
    view: View | None
    """None for the native view, or a view that the dataset does not describe."""
    statistics: Statistics | None
    statics: tuple[str, ...] = ()
    """Fixed fields read on this side: they lie on the grid of the targets."""

    @property
    def grid(self) -> Grid | None:
        """The grid of the prepared store, if it is known."""
        if self.version is None:
            return self.description.grid
        if self.side.view == NATIVE:
            return self.version.grid or self.description.grid
        return self.version.views.get(self.side.view)

    @property
    def cadence(self) -> Duration:
        """The time step of the prepared store."""
        if self.view is not None and self.view.cadence is not None:
            return self.view.cadence
        return (self.version.time if self.version else self.description.time).cadence

    @property
    def calendar(self) -> str:
        """The calendar of its times."""
        return (self.version.time if self.version else self.description.time).calendar

    @property
    def statistics_name(self) -> str:
        """The file name of the statistics that are meant."""
        return self.side.statistics or self.side.view


@dataclass(frozen=True)
class Match:
    """A model, its two sides on real datasets, and the leads that were asked for."""

    request: Request
    model: Model
    lexicon: Mapping[str, Variable]
    inputs: Hold
    targets: Hold
    leads: tuple[Duration, ...]

    @property
    def holds(self) -> tuple[Hold, Hold]:
        """Both sides."""
        return (self.inputs, self.targets)

    @property
    def draft(self) -> bool:
        """Whether a dataset has no version yet, so that nothing can be pinned."""
        return any(hold.version is None for hold in self.holds)

    def channels(self, side: Side) -> tuple[str, ...]:
        """The planes of a side in tensor order: ``t2m``, ``t@500``."""
        return tuple(
            f"{name}@{level:g}" if level is not None else name
            for name in side.variables
            for level in self._levels(name, side)
        )

    def _levels(self, name: str, side: Side) -> tuple[float | None, ...]:
        known = self.lexicon.get(name)
        return side.levels if known and known.levels != "none" else (None,)


def gather(library: Library, request: Request, model: Model) -> Match:
    """Look up everything that the rules will ask about."""
    data = request.data or DataRef(model.inputs.dataset)
    same = model.inputs.dataset == model.targets.dataset
    inputs = _hold(library, model, "inputs", model.inputs, data)
    target_data = data if same else DataRef(model.targets.dataset)
    targets = _hold(library, model, "targets", model.targets, target_data)
    if same and model.inputs.view == model.targets.view:
        inputs = replace(inputs, statics=model.inputs.statics)
    else:
        targets = replace(targets, statics=model.inputs.statics)
    leads = request.leads or model.lead.trained
    return Match(request, model, library.lexicon(), inputs, targets, leads)


def _hold(library: Library, model: Model, role: str, side: Side, data: DataRef) -> Hold:
    description = library.description(data.dataset)
    declared = model.versions.get(data.dataset)
    ref = DataRef(data.dataset, data.version or declared)
    version = library.version(ref) if ref.version else None
    hold = Hold(
        role=role,
        side=side,
        ref=ref,
        description=description,
        entries=library.variables(data.dataset),
        version=version,
        view=description.views.get(side.view),
        statistics=None,
    )
    if version is None:
        return hold
    found = library.statistics(ref, hold.statistics_name)
    return replace(hold, statistics=found)
