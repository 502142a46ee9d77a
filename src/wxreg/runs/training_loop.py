"""The loop: Lightning steps, and what happens between steps — validate, keep, resume, stop."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch

from wxreg.artifacts.sealing import storage_errors
from wxreg.data.batches import WindowBatch, WindowLoader
from wxreg.errors import ExternalError, RegError
from wxreg.runs.checkpoints import save_checkpoint
from wxreg.runs.progress import Bar
from wxreg.runs.resume import Best, save_point
from wxreg.runs.training_module import TrainingModule, batch_seed
from wxreg.specs.plan import TrainPlan

_LOG_SECONDS = 5.0


@dataclass(frozen=True)
class Files:
    """Where a training writes."""

    folder: Path

    @property
    def resume(self) -> Path:
        """The folder of the resume point."""
        return self.folder / "resume"

    @property
    def metrics(self) -> Path:
        """One JSON object a line."""
        return self.folder / "metrics.jsonl"

    def checkpoint(self, name: str) -> Path:
        """``best``, ``last``, ``epoch-3`` or ``step-120``."""
        return self.folder / "checkpoints" / f"{name}.safetensors"


class Steps(torch.utils.data.IterableDataset[WindowBatch]):
    """The batches of all epochs from an optimizer step on, as one stream."""

    def __init__(self, loader: WindowLoader, per_epoch: int, first: int, accumulate: int) -> None:
        self._loader = loader
        self._per_epoch = per_epoch
        self._first = first
        self._accumulate = accumulate

    def __iter__(self) -> Iterator[WindowBatch]:
        epoch, within = divmod(self._first, self._per_epoch)
        parts = self._per_epoch * self._accumulate
        cursor = within * self._accumulate
        while True:
            number = cursor
            try:
                for number, batch in enumerate(self._loader.at(epoch, cursor), start=cursor):
                    if number >= parts:
                        break
                    yield batch
                    number += 1
            except RegError as error:
                raise _in_batch(error, epoch, number) from error
            epoch, cursor = epoch + 1, 0


def _in_batch(error: RegError, epoch: int, number: int) -> RegError:
    """The same error, saying also which batch could not be read."""
    message = f"epoch {epoch + 1}, batch {number}: {error.message}"
    kept = "the last resume point is kept"
    hint = f"{error.hint}; {kept}" if error.hint else kept
    return type(error)(error.code, message, where=error.where, hint=hint)


class Between(lightning.Callback):
    """What happens after optimizer steps; only rank 0 writes."""

    def __init__(
        self,
        plan: TrainPlan,
        files: Files,
        validation: Callable[[], list[WindowBatch]],
        best: Best,
        *,
        every: int,
        resume_seconds: float,
        words: dict[str, Any],
        bar: Bar,
    ) -> None:
        self._plan = plan
        self._digest = plan.digest()
        self._files = files
        self._validation = validation
        self.best = best
        self._every = every
        self._resume_seconds = resume_seconds
        self._words = words
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
        return bool(trainer.strategy.reduce_boolean_decision(self._asked_to_stop, all=False))

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
        if now - self._logged_at < _LOG_SECONDS:
            return
        self._logged_at = now
        line = module.progress.take()
        self._log({"step": module.step, **line})
        note = f"loss {line['loss']:.4g}  {line['samples_per_second']:.1f} samples/s"
        self._bar.at(module.step, note)

    def _validate(self, trainer: Any, module: TrainingModule) -> None:
        value = validation_loss(module, self._validation())
        value = float(trainer.strategy.reduce(torch.tensor(value), reduce_op="mean"))
        self._count(module, value)
        if trainer.is_global_zero:
            self._log({"step": module.step, **module.progress.take(), "validation": value})
            self._keep(module, value)
        self._bar.at(module.step, f"validation {value:.4g}")

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
        save_checkpoint(path, module.forecaster, module.chosen_state(), self._plan, self._words)

    def _log(self, line: dict[str, Any]) -> None:
        with storage_errors(self._files.metrics), self._files.metrics.open("a") as stream:
            stream.write(json.dumps(line) + "\n")


def validation_loss(module: TrainingModule, batches: list[WindowBatch]) -> float:
    """The mean loss over the validation batches, with the weights that would be kept."""
    network = module.forecaster
    own = {k: v.detach().clone() for k, v in network.state_dict().items()}
    averaged = module.training_settings.weights == "ema"
    if averaged:
        network.load_state_dict(module.averaged)
    network.eval()
    total = samples = 0.0
    with torch.no_grad():
        for number, batch in enumerate(batches):
            seed = batch_seed(module.seed, 0, number, -2)
            torch.manual_seed(seed)
            generator = torch.Generator(device=module.device).manual_seed(seed)
            report = network.loss(batch.to(module.device), generator)
            total += float(report.total) * len(batch)
            samples += len(batch)
    network.train()
    if averaged:
        network.load_state_dict(own)
    return total / samples if samples else math.nan


def make_trainer(
    plan: TrainPlan,
    steps_left: int,
    devices: int,
    world: int,
    accelerator: str,
    between: Between,
) -> Any:
    """Lightning with everything off that would write or decide by itself."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    training = plan.training
    launched, many = "RANK" in os.environ, world > 1
    return lightning.Trainer(
        accelerator=accelerator,
        devices=devices,
        num_nodes=world // devices,
        strategy=_strategy(many, forks=accelerator == "cpu" and not launched),
        precision=_PRECISIONS[training.precision],
        accumulate_grad_batches=training.accumulate,
        gradient_clip_val=training.clip,
        max_steps=steps_left,
        max_epochs=-1,
        callbacks=[between],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        deterministic="warn" if plan.deterministic else False,
        inference_mode=False,
    )


def _strategy(many: bool, *, forks: bool) -> str:
    """One process; or several, forked here or started by a launcher."""
    return ("ddp_fork" if forks else "ddp") if many else "auto"


_PRECISIONS: dict[str, Any] = {
    "32": "32-true",
    "bf16": "bf16-true",
    "bf16-mixed": "bf16-mixed",
    "16-mixed": "16-mixed",
}


def out_of_memory(error: Exception, plan: TrainPlan) -> ExternalError:
    """What to change, and by how much, when memory runs out."""
    training = plan.training
    parts = training.accumulate * 2
    possible = training.batch % parts == 0
    advice = (
        f"--set training.accumulate={parts} halves the memory of a step at the same batch"
        if possible
        else f"--set training.batch={max(1, training.batch // 2)} halves the memory of a step"
    )
    more = "" if training.recompute else "; --set training.recompute=true saves activations"
    return ExternalError("REG-760", f"memory ran out: {error}", hint=advice + more)
