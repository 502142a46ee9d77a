"""Students: the plan names the training of the teacher, the run records its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from wxreg.errors import Incompatible
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.models.distillation import DistilledCorrDiff
from wxreg.models.forecaster import Forecaster
from wxreg.runs.checkpoints import LoadedCheckpoint, open_checkpoint
from wxreg.runs.finding import trained_checkpoint
from wxreg.specs.plan import TrainPlan


@dataclass(frozen=True)
class Teacher:
    """A trained teacher: the SHA-256 of its checkpoint goes into the student's record."""

    checkpoint: LoadedCheckpoint

    @property
    def sources(self) -> dict[str, str]:
        """The edge from the student's run to the teacher's checkpoint."""
        return {self.checkpoint.sha256: "teacher"}

    def teach(self, student: Forecaster) -> None:
        """Give a student the weights that it starts from and learns to match."""
        if not isinstance(student, DistilledCorrDiff):
            raise Incompatible(
                "REG-447",
                f"{student.blueprint.architecture} learns from no teacher",
                hint="leave training.teacher out",
            )
        student.adopt(self.checkpoint.forecaster.state_dict())


def find_teacher(library: Library, ledger: Ledger, plan: TrainPlan) -> Teacher | None:
    """The finished teacher that a plan names; none where the plan needs none."""
    if plan.teacher is None:
        return None
    _, path = trained_checkpoint(library, ledger, plan.teacher, "the teacher")
    return Teacher(open_checkpoint(path))
