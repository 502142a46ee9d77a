"""What happens between optimizer steps: validate, keep, remember, show, stop."""

from __future__ import annotations

import math
import multiprocessing
import signal
import time
from collections.abc import Sequence
from typing import Any

import lightning
import torch

from wxreg.data.batches import WindowBatch
from wxreg.runs.checkpoints import save_checkpoint
from wxreg.runs.progress import Bar
from wxreg.runs.training.files import Files
from wxreg.runs.training.module import TrainingModule
from wxreg.runs.training.resume import Best, save_point
from wxreg.runs.training.validation import validation_loss
from wxreg.specs.plan import TrainPlan

_LOG_SECONDS = 5.0


class Between(lightning.Callback):
    """What happens after optimizer steps; only rank 0 writes."""

    def __init__(
        self,
        plan: TrainPlan,
        files: Files,
        validation: Sequence[WindowBatch],
        best: Best,
        *,
        every: int,
        resume_seconds: float,
        bar: Bar,
    ) -> None:
        self._plan = plan
        self._digest = plan.digest()
        self._files = files
        self._validation = validation
        self.best = best
        self._every = every
        self._resume_seconds = resume_seconds
        self._bar = bar
        self._saved_at = self._logged_at = time.monotonic()
        self._asked_to_stop = False
        self._last_step = -1

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """SIGTERM asks for a resume point, as a scheduler's pre-emption does."""
        self._last_step = pl_module.step

        def ask(_signal: int, _frame: Any) -> None:
            self._asked_to_stop = True

        self._before = signal.signal(signal.SIGTERM, ask)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """From here on SIGTERM means what it meant before."""
        signal.signal(signal.SIGTERM, self._before)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Validate, keep and remember, on optimizer-step boundaries only."""
        module: TrainingModule = pl_module
        if module.step == self._last_step:
            return
        self._last_step = module.step
        last = module.step >= module.steps
        if module.step % self._every == 0 or last:
            self._validate(trainer, module)
            last = last or self._out_of_patience()
        if last:
            self._finish(trainer, module)
        asked = self._anyone_asked(trainer)
        if asked or last or self._due():
            self._remember(trainer, module)
        if asked and not last:
            raise SystemExit(143)
        if trainer.is_global_zero:
            self._show(module)

    def _anyone_asked(self, trainer: Any) -> bool:
        """Whether any process was told to stop: then all do, at the same step."""
        if trainer.world_size == 1:
            return self._asked_to_stop
        asked = self._asked_to_stop or _orphaned()
        return bool(trainer.strategy.reduce_boolean_decision(asked, all=False))

    def _out_of_patience(self) -> bool:
        patience = self._plan.training.stop_after
        return patience is not None and self.best.stale >= patience

    def _finish(self, trainer: Any, module: TrainingModule) -> None:
        trainer.should_stop = True
        if trainer.is_global_zero:
            self._save(module, "last")

    def _due(self) -> bool:
        return time.monotonic() - self._saved_at >= self._resume_seconds

    def _remember(self, trainer: Any, module: TrainingModule) -> None:
        self._saved_at = time.monotonic()
        if trainer.is_global_zero:
            optimizer = trainer.optimizers[0]
            save_point(self._files.resume, module, optimizer, self._digest, self.best)

    def _show(self, module: TrainingModule) -> None:
        now = time.monotonic()
        if now - self._logged_at < _LOG_SECONDS or not module.progress.batches:
            return  # a validation has just told it all
        self._logged_at = now
        line = module.progress.take()
        self._files.log({"step": module.step, **line})
        note = f"loss {line['loss']:.4g}  {line['samples_per_second']:.1f} samples/s"
        self._bar.at(module.step, note)

    def _validate(self, trainer: Any, module: TrainingModule) -> None:
        value = validation_loss(module, self._validation)
        value = float(trainer.strategy.reduce(torch.tensor(value), reduce_op="mean"))
        self._count(module, value)
        if trainer.is_global_zero:
            self._files.log(
                {
                    "step": module.step,
                    **module.progress.take(),
                    **module.pull,
                    **self._stage(module),
                    "validation": value,
                }
            )
            self._keep(module, value)
        self._bar.at(module.step, f"validation {value:.4g}")

    def _stage(self, module: TrainingModule) -> dict[str, list[str]]:
        """The leads of the step that was just done, where they change."""
        stages = [one for one in self._plan.training.curriculum if one.after < module.step]
        return {"leads": [str(lead) for lead in stages[-1].leads]} if stages else {}

    def _count(self, module: TrainingModule, value: float) -> None:
        """Remember whether this is the best so far; a plateau cuts the rate."""
        best, settings = self.best, self._plan.training
        if math.isfinite(value) and (best.value is None or value < best.value):
            best.value, best.step, best.stale = value, module.step, 0
            return
        best.stale += 1
        if settings.schedule.name == "plateau" and best.stale % settings.schedule.patience == 0:
            module.cuts += 1

    def _keep(self, module: TrainingModule, value: float) -> None:
        settings, best = self._plan.training, self.best
        if settings.every_epoch and module.step % module.per_epoch == 0:
            self._save(module, f"epoch-{module.step // module.per_epoch}")
        if best.step == module.step:
            self._save(module, "best")
        if settings.keep > 1:
            self._keep_several(module, value)

    def _keep_several(self, module: TrainingModule, value: float) -> None:
        """The checkpoints of the best validations; the worst of too many goes."""
        best = self.best
        best.kept = sorted([*best.kept, (value, module.step)])
        self._save(module, f"step-{module.step}")
        for _, step in best.kept[self._plan.training.keep :]:
            self._files.checkpoint(f"step-{step}").unlink(missing_ok=True)
        best.kept = best.kept[: self._plan.training.keep]

    def _save(self, module: TrainingModule, name: str) -> None:
        path = self._files.checkpoint(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(path, module.forecaster, module.chosen_state(), self._plan, {})


def _orphaned() -> bool:
    """Whether the process that started this one, and keeps the record, was killed."""
    parent = multiprocessing.parent_process()
    return parent is not None and not parent.is_alive()
