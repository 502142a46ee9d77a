"""The checkpoints of one training as members of an ensemble, or averaged into a weight soup."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from wxreg.artifacts.checkpoint_file import read_checkpoint
from wxreg.data.batches import WindowBatch
from wxreg.errors import Incompatible
from wxreg.models.ensembles import CheckpointEnsemble, Weights, choose_soup
from wxreg.models.forecaster import Forecaster
from wxreg.runs.checkpoints import open_checkpoint, save_checkpoint, torch_tensors
from wxreg.runs.finding import epoch_checkpoints
from wxreg.specs.plan import SamplePlan, TrainPlan

SOUP = "soup"


def open_ensemble(plan: SamplePlan, paths: Iterable[Path]) -> CheckpointEnsemble:
    """The ensemble of the checkpoints that a plan pins, each checked against its digest."""
    pairs = zip(paths, plan.ensemble, strict=True)
    return CheckpointEnsemble([open_checkpoint(path, None, sha).forecaster for path, sha in pairs])


def make_soup(
    plan: TrainPlan, forecaster: Forecaster, validation: Iterable[WindowBatch], folder: Path
) -> tuple[int, ...]:
    """Write the average of the epochs that lowers the validation loss; which are in it."""
    batches = tuple(validation)
    epochs = epoch_checkpoints(folder)
    if not epochs:
        raise Incompatible(
            "REG-444", "there are no epochs to average", hint="declare training.every_epoch"
        )
    weights = [torch_tensors(read_checkpoint(path).tensors) for path in epochs]

    def error(candidate: Weights) -> float:
        forecaster.load_state_dict(dict(candidate))
        return _mean_loss(forecaster, batches, plan.seed)

    averaged, chosen = choose_soup(weights, error)
    save_checkpoint(folder / f"{SOUP}.safetensors", forecaster, averaged, plan, {})
    return tuple(number + 1 for number in chosen)


def _mean_loss(forecaster: Forecaster, batches: tuple[WindowBatch, ...], seed: int) -> float:
    forecaster.eval()
    total = 0.0
    with torch.no_grad():
        for number, batch in enumerate(batches):
            generator = torch.Generator().manual_seed(seed + number)
            total += float(forecaster.loss(batch, generator).total) * len(batch)
    return total / sum(len(batch) for batch in batches)
