"""Lightning's trainer, with everything off that would write or decide by itself."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

import lightning

from wxreg.specs.plan import TrainPlan


def make_trainer(
    plan: TrainPlan,
    steps_left: int,
    devices: int,
    world: int,
    accelerator: str,
    between: lightning.Callback,
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
