"""The loss of the batches that are held out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from wxreg.data.batches import WindowBatch
from wxreg.runs.training.module import TrainingModule, batch_seed


def validation_loss(module: TrainingModule, batches: Sequence[WindowBatch]) -> float:
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
