"""Training by gradients, from the first step or a resume point to the last step."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wxreg.models.forecaster import Forecaster
from wxreg.models.recomputing import recompute_activations
from wxreg.runs.progress import Bar
from wxreg.runs.training.data import Loaders
from wxreg.runs.training.files import Files
from wxreg.runs.training.freezing import freeze_weights
from wxreg.runs.training.loop import Between
from wxreg.runs.training.lost_workers import lost_workers
from wxreg.runs.training.module import Exploded, TrainingModule
from wxreg.runs.training.options import TrainOptions
from wxreg.runs.training.resume import Best, Point, take_back
from wxreg.runs.training.steps import Steps
from wxreg.runs.training.trainer import make_trainer
from wxreg.specs.plan import TrainPlan


@dataclass(frozen=True)
class Fit:
    """One training by gradients; results are files, whichever process writes them."""

    plan: TrainPlan
    forecaster: Forecaster
    loaders: Loaders
    folder: Path
    point: Point | None
    options: TrainOptions
    accelerator: str

    @property
    def steps(self) -> int:
        """The optimizer steps from the beginning to the end."""
        training = self.plan.training
        return training.steps or (training.epochs or 1) * self.loaders.per_epoch

    @property
    def validate_every(self) -> int:
        """Optimizer steps from one validation to the next."""
        return self.plan.training.validate_every or self.loaders.per_epoch

    def run(self) -> None:
        """Train to the last step."""
        bar = Bar(f"train {self.plan.about.model}", self.steps, quiet=self.options.quiet)
        module = self._module()
        try:
            with lost_workers(module):
                self._train(module, self._between(bar))
        except Exploded:
            if module.global_rank == 0:
                take_back(Files(self.folder).resume, module.step)
            raise
        finally:
            bar.close()

    def _module(self) -> TrainingModule:
        """The module as its next step finds it."""
        training = self.plan.training
        freeze_weights(self.forecaster, training.freeze)
        if training.recompute:
            recompute_activations(self.forecaster)
        module = _Resuming(
            self.forecaster, self.plan, self.steps, self.loaders.per_epoch, self.validate_every
        )
        module.point = self.point
        if self.point is not None:
            self.point.restore(module)
        return module

    def _between(self, bar: Bar) -> Between:
        return Between(
            self.plan,
            Files(self.folder),
            self.loaders.validation,
            self.point.best if self.point is not None else Best(),
            every=self.validate_every,
            resume_seconds=self.options.resume_seconds,
            bar=bar,
        )

    def _train(self, module: TrainingModule, between: Between) -> None:
        left = self.steps - module.step
        if left <= 0:
            return
        world, accumulate = self.options.world, self.plan.training.accumulate
        trainer = make_trainer(
            self.plan, left, self.options.devices, world, self.accelerator, between
        )
        first = module.step
        module.train_dataloader = lambda: _loader(
            self.loaders.steps(module.global_rank, first, accumulate)
        )
        try:
            trainer.fit(module)
        except SystemExit:
            for child in multiprocessing.active_children():  # the ranks that were forked here
                child.terminate()
                child.join()
            raise


class _Resuming(TrainingModule):
    """Gives the optimizer back what it remembered at the resume point."""

    point: Point | None = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The declared optimizer, as it was."""
        optimizer = super().configure_optimizers()
        if self.point is not None:
            self.point.restore_optimizer(optimizer)
        return optimizer


def _loader(steps: Steps) -> Any:
    return torch.utils.data.DataLoader(steps, batch_size=None, num_workers=0)
