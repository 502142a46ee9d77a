"""Which lead times are trained when: a law of the count of global batches, so it can resume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wxreg.data.windows import Windows
from wxreg.errors import Incompatible


@dataclass(frozen=True)
class Stage:
    """What is trained from a global batch on."""

    after: int
    """The first global batch of the stage, counted over all epochs."""
    leads: tuple[int, ...]
    """The leads that count, in seconds."""

    def visited(self, windows: Windows) -> NDArray[np.bool_]:
        """The windows that have one of the leads; the others wait."""
        return np.asarray(np.isin(windows.leads, self.leads).any(axis=1))


@dataclass(frozen=True)
class Curriculum:
    """Stages in their order, the first from the first batch on."""

    stages: tuple[Stage, ...]
    per_epoch: int
    """Global batches of an epoch."""

    def at(self, epoch: int, number: int) -> Stage:
        """The stage that a global batch belongs to."""
        done = epoch * self.per_epoch + number
        return [stage for stage in self.stages if stage.after <= done][-1]

    def check(self, windows: Windows) -> None:
        """Refuse a stage that no window of the split can serve."""
        for stage in self.stages:
            if not stage.visited(windows).any():
                hours = ", ".join(f"{lead / 3600:g} h" for lead in stage.leads)
                raise Incompatible(
                    "REG-460",
                    f"no training window has a lead of {hours}",
                    where="training.curriculum",
                    hint="take that stage out, or train on a longer version",
                )


class EpochStages:
    """The curriculum of one epoch."""

    def __init__(self, curriculum: Curriculum, epoch: int, windows: Windows) -> None:
        self._stage = partial(curriculum.at, epoch)
        self._known = {stage: stage.visited(windows) for stage in curriculum.stages}

    def visited(self, number: int) -> NDArray[np.bool_]:
        """Which windows a global batch may have."""
        return self._known[self._stage(number)]

    def leads(self, number: int) -> tuple[int, ...]:
        """The leads that count in it."""
        return self._stage(number).leads
