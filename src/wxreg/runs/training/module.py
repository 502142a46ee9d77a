"""The Lightning module: one optimizer step is a law of (seed, step), so it can be resumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from wxreg.data.batches import WindowBatch
from wxreg.errors import Incompatible
from wxreg.models.forecaster import Forecaster, LossReport
from wxreg.models.losses.combining import gradient_shares
from wxreg.runs.progress import TrainingProgress
from wxreg.specs.plan import TrainPlan
from wxreg.specs.training import Schedule, Training

_MIX = 0x9E3779B97F4A7C15
_WORD = 2**63
_EXPLODED = 1e6


def batch_seed(seed: int, epoch: int, batch: int, rank: int) -> int:
    """One seed for every (seed, epoch, batch, rank), far from its neighbours'."""
    mixed = seed
    for part in (epoch, batch, rank):
        mixed = (mixed ^ (part + 1)) * _MIX % _WORD
        mixed ^= mixed >> 29
    return mixed


def rate_factor(schedule: Schedule, step: int, steps: int, cuts: int) -> float:
    """The share of the learning rate at an optimizer step; ``cuts`` are those of a plateau."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    if schedule.name == "plateau":
        return max(float(0.5**cuts), schedule.floor)
    if schedule.name == "constant":
        return 1.0
    done = min(1.0, (step - schedule.warmup) / max(1, steps - schedule.warmup))
    falling = 1 - done if schedule.name == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return schedule.floor + (1 - schedule.floor) * falling


class TrainingModule(lightning.LightningModule):
    """A forecaster with its optimizer, schedule and averaged weights."""

    def __init__(
        self,
        forecaster: Forecaster,
        plan: TrainPlan,
        steps: int,
        per_epoch: int,
        measure_every: int | None = None,
    ) -> None:
        super().__init__()
        training = plan.training
        self.forecaster = forecaster
        self.plan = plan
        self.training_settings = training
        self.seed = plan.seed
        self.steps = steps
        self.per_epoch = per_epoch
        self.step = 0
        """Optimizer steps that are done."""
        self.cuts = 0
        self.progress = TrainingProgress()
        self.pull: dict[str, dict[str, float]] = {}
        """The weights and gradient shares of the loss terms, as last measured."""
        self._measure_every = measure_every
        self._first_loss: float | None = None
        self._batch: WindowBatch | None = None
        self.averaged: dict[str, Tensor] = {}
        if training.ema is not None:
            self.averaged = {k: v.detach().clone() for k, v in forecaster.state_dict().items()}

    def training_step(self, batch: WindowBatch, batch_idx: int) -> Tensor:
        """The loss of one part of a global batch; every draw is reseeded here."""
        epoch, within = divmod(self.step, self.per_epoch)
        part = self._part
        number = within * self.training_settings.accumulate + part
        seed = batch_seed(self.seed, epoch, number, self.global_rank)
        torch.manual_seed(seed)
        generator = torch.Generator(device=self.device).manual_seed(seed)
        report = self.forecaster.loss(batch, generator)
        value = float(report.total.detach())
        self._check("loss", value, batch)
        if part == 0 and self._measures:
            self.pull = measured_pull(report, self.forecaster)
        self.progress.add(value, report.terms, len(batch))
        self._part = (part + 1) % self.training_settings.accumulate
        return report.total

    _part = 0

    @property
    def _measures(self) -> bool:
        """Whether the terms' gradients are compared in this step: before each validation."""
        if self._measure_every is None or self.global_rank:
            return False
        return (self.step + 1) % self._measure_every == 0 or self.step + 1 == self.steps

    def _check(self, what: str, value: float, batch: WindowBatch) -> None:
        """Stop at a value that is no number, or a million times what training began with."""
        self._batch = batch
        if self._first_loss is None and math.isfinite(value):
            self._first_loss = abs(value)
        if math.isfinite(value) and abs(value) <= _EXPLODED * max(self._first_loss or 0.0, 1.0):
            return
        epoch, within = divmod(self.step, self.per_epoch)
        number = within * self.training_settings.accumulate + self._part
        raise not_finite(f"the {what} became {value:.4g}", batch, epoch, number, self.plan)

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Weights never take a step along gradients that are no numbers."""
        if self.training_settings.precision == "16-mixed" or self._batch is None:
            return  # its scaler leaves such steps out by itself
        gradients = [one.grad for one in self.forecaster.parameters() if one.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients))
        if not math.isfinite(norm):
            self._check("gradient's norm", norm, self._batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The declared optimizer over the weights that are not frozen."""
        return make_optimizer(self.forecaster, self.training_settings)

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None
    ) -> None:
        """One step at the rate of the schedule, then the averaged weights."""
        settings = self.training_settings
        factor = rate_factor(settings.schedule, self.step, self.steps, self.cuts)
        for group in optimizer.param_groups:
            group["lr"] = settings.optimiser.rate * factor
        optimizer.step(closure=optimizer_closure)
        self.step += 1
        self._average()

    def _average(self) -> None:
        decay = self.training_settings.ema
        if decay is None:
            return
        decay = min(decay, (1 + self.step) / (10 + self.step))
        for name, value in self.forecaster.state_dict().items():
            mean = self.averaged[name]
            if mean.dtype.is_floating_point:
                mean.lerp_(value.detach(), 1 - decay)
            else:
                mean.copy_(value)

    def transfer_batch_to_device(self, batch: Any, device: Any, dataloader_idx: int) -> Any:
        """Batches know how to move."""
        return batch.to(device)

    def chosen_state(self) -> Mapping[str, Tensor]:
        """The weights that the plan says are the checkpoint."""
        if self.training_settings.weights == "ema":
            return self.averaged
        return self.forecaster.state_dict()


def make_optimizer(network: nn.Module, training: Training) -> torch.optim.Optimizer:
    """The optimizer that the entry declares."""
    settings = training.optimiser
    trained = [weights for weights in network.parameters() if weights.requires_grad]
    if settings.name == "sgd":
        return torch.optim.SGD(
            trained, lr=settings.rate, momentum=settings.betas[0], weight_decay=settings.decay
        )
    kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    return kind(trained, lr=settings.rate, betas=settings.betas, weight_decay=settings.decay)


def measured_pull(report: LossReport, network: nn.Module) -> dict[str, dict[str, float]]:
    """The weight and the gradient share of every term of a composed loss."""
    if len(report.weights) < 2:
        return {}
    trained = [one for one in network.parameters() if one.requires_grad]
    shares = gradient_shares(report, report.weights, trained)
    return {
        "weights": dict(report.weights),
        "gradient_shares": {name: round(share, 6) for name, share in shares.items()},
    }


class Exploded(Incompatible):
    """A loss or a gradient is no number any more: the weights before that step are good."""


def not_finite(what: str, batch: WindowBatch, epoch: int, number: int, plan: TrainPlan) -> Exploded:
    """The error for a loss that is no number, naming the windows of the batch."""
    times = ", ".join(_shown_time(time) for time in batch.time.tolist()[:4])
    bad = _not_finite_variables(batch, plan)
    where = f"epoch {epoch + 1}, batch {number}, windows {batch.windows.tolist()[:8]}"
    return Exploded(
        "REG-460",
        f"{what} on {plan.inputs.dataset} at initial times {times}; "
        + (f"{', '.join(bad)} hold values that are not finite" if bad else _all_finite(plan)),
        where=where,
        hint="the last good state is kept: lower training.optimiser.rate or set training.clip; "
        "training.initial starts from a checkpoint of this run",
    )


def _shown_time(seconds: float) -> str:
    """A time to the minute; other calendars are shown by the standard one's names."""
    return str(np.datetime64(int(seconds), "s"))[:16]


def _not_finite_variables(batch: WindowBatch, plan: TrainPlan) -> list[str]:
    """The channels with values that are not finite, each side once."""
    sides = (
        ("input", plan.inputs.channels, batch.inputs),
        ("target", plan.targets.channels, batch.target),
    )
    return [
        f"{side} {name}"
        for side, names, tensor in sides
        if tensor is not None
        for place, name in enumerate(names)
        if not bool(torch.isfinite(tensor[:, :, place]).all())
    ]


def _all_finite(plan: TrainPlan) -> str:
    return f"all values of {', '.join(plan.targets.channels)} are finite"
