"""Which motions of samples a plan may ask for."""

from __future__ import annotations

from collections.abc import Mapping

from wxreg.data.augmenting import ROTATE, Augmentation, augmentation
from wxreg.errors import Incompatible
from wxreg.models.forecaster import Forecaster
from wxreg.specs.plan import TrainPlan
from wxreg.specs.variables import Variable


def plan_augmentation(plan: TrainPlan, lexicon: Mapping[str, Variable]) -> Augmentation | None:
    """The declared motions, or why they would make samples wrong; none if none is declared."""
    kinds = plan.training.augment
    if not kinds:
        return None
    if ROTATE in kinds:
        _check_cells(plan)
    return augmentation(kinds, plan.inputs.channels, plan.targets.channels, lexicon)


def _check_cells(plan: TrainPlan) -> None:
    """A quarter turn needs square samples of square cells."""
    for grid in (plan.inputs.grid, plan.targets.grid):
        rows, columns = grid.shape
        if grid.crs == "latlon" or grid.spacing[0] != grid.spacing[1]:
            raise _refused("cells of this grid are not as wide as they are high", plan)
        if rows != columns and plan.training.tile is None:
            raise _refused(f"a field of {rows} × {columns} cells does not fit when turned", plan)


def check_orientation(plan: TrainPlan, forecaster: Forecaster) -> None:
    """Refuse motions for a network that reads the compass from its grid."""
    if plan.training.augment and forecaster.oriented:
        raise _refused(f"{plan.architecture.name} needs rows that run from north to south", plan)


def _refused(why: str, plan: TrainPlan) -> Incompatible:
    left = [kind for kind in plan.training.augment if kind != ROTATE]
    return Incompatible(
        "REG-460",
        f"training.augment cannot be carried out: {why}",
        where=plan.about.model,
        hint=f"keep {', '.join(left)} only" if left and "turned" in why else "leave it out",
    )
