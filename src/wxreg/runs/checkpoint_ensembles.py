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
from wxreg.specs.plan import SamplePlan, TrainPlan

SOUP = "soup"


def member_checkpoints(folder: Path, plan: SamplePlan) -> tuple[Path, ...]:
    """The checkpoints of the last epochs, one for each member, in their order."""
    members = plan.sampling.members
    if plan.sampling.member_batch != members:
        raise Incompatible(
            "REG-461",
            f"a checkpoint ensemble makes its {members} members together",
            hint=f"--set sampling.member_batch={members}",
        )
    found = epoch_checkpoints(folder)
    if members > len(found):
        raise Incompatible(
            "REG-444",
            f"{members} members were asked, but there are {len(found)} checkpoints",
            where=str(folder),
            hint=f"ask for at most {len(found)}, or train more epochs with every_epoch",
        )
    return found[-members:]


def epoch_checkpoints(folder: Path) -> tuple[Path, ...]:
    """``epoch-1``, ``epoch-2`` … of one training."""
    found = folder.glob("epoch-*.safetensors")
    return tuple(sorted(found, key=lambda path: int(path.stem.removeprefix("epoch-"))))


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
