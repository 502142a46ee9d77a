"""The rate, the gradients and the checkpoints of a training are those that its entry declares."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_world import World

from wxreg.artifacts.checkpoint_file import read_checkpoint
from wxreg.runs.training.module import TrainingModule
from wxreg.runs.training.train import Trained, TrainOptions, train

OPTIONS = TrainOptions(quiet=True, accelerator="cpu", resume_seconds=0)
RATE = 0.01
PLAIN = (
    f"training.optimiser={{name: sgd, rate: {RATE}, betas: [0.0, 0.0]}}",
    "training.schedule={name: constant, warmup: 0}",
    "training.select=last",
)
"""Descent without memory: a step is the rate times the gradient."""


def _train(world: World, *sets: str) -> Trained:
    with world.ledger() as ledger:
        return train(world.library, ledger, world.plan("tiny-v1", *sets), OPTIONS)


def _weights(path: Path) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in read_checkpoint(path).tensors.items()}


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The learning rate of every optimizer step that is taken."""
    seen: list[float] = []
    step = TrainingModule.optimizer_step

    def watching(self: Any, epoch: int, batch_idx: int, optimizer: Any, closure: Any) -> None:
        step(self, epoch, batch_idx, optimizer, closure)
        seen.append(optimizer.param_groups[0]["lr"])

    monkeypatch.setattr(TrainingModule, "optimizer_step", watching)
    return seen


@pytest.mark.parametrize(
    ("schedule", "law"),
    [
        ("{name: constant, warmup: 0}", lambda n: 1.0),
        ("{name: constant, warmup: 4}", lambda n: min(1.0, (n + 1) / 4)),
        ("{name: linear, warmup: 0, floor: 0.2}", lambda n: 1 - 0.8 * n / 10),
        ("{name: cosine, warmup: 0}", lambda n: (1 + math.cos(math.pi * n / 10)) / 2),
        (
            "{name: cosine, warmup: 2, floor: 0.1}",
            lambda n: (n + 1) / 2 if n < 2 else 0.55 + 0.45 * math.cos(math.pi * (n - 2) / 8),
        ),
    ],
)
def test_the_rate_follows_the_declared_schedule(
    world: World, rates: list[float], schedule: str, law: Callable[[int], float]
) -> None:
    rate = f"training.optimiser.rate={RATE}"
    _train(world, rate, f"training.schedule={schedule}", "training.steps=10")
    assert rates == pytest.approx([RATE * law(step) for step in range(10)])


def test_a_plateau_halves_the_rate_down_to_its_floor(world: World, rates: list[float]) -> None:
    """Steps too small to be seen improve nothing after the first validation."""
    schedule = "training.schedule={name: plateau, warmup: 0, patience: 2, floor: 0.3}"
    every = ("training.steps=8", "training.validate_every=1", "training.optimiser.rate=1e-30")
    _train(world, schedule, *every)
    cuts = [1.0, 1.0, 1.0, 0.5, 0.5, 0.3, 0.3, 0.3]
    assert rates == pytest.approx([1e-30 * share for share in cuts])


def test_gradients_are_cut_to_the_declared_norm(world: World) -> None:
    steps = "training.steps=1"
    still = _weights(_train(world, *PLAIN[1:], steps, "training.optimiser.rate=1e-30").checkpoint)

    def moved(*sets: str) -> float:
        after = _weights(_train(world, *PLAIN, steps, *sets).checkpoint)
        parts = [np.sum((after[name].astype(float) - still[name]) ** 2) for name in after]
        return math.sqrt(sum(parts)) / RATE

    assert moved() > 0.02
    assert moved("training.clip=0.02") == pytest.approx(0.02, rel=1e-3)
    assert moved("training.clip=1e6") == pytest.approx(moved())


def test_accumulated_parts_are_one_batch(world: World) -> None:
    sets = (*PLAIN, "training.steps=3", "training.batch=8")
    whole = _weights(_train(world, *sets).checkpoint)
    for parts in (2, 4):
        got = _weights(_train(world, *sets, f"training.accumulate={parts}").checkpoint)
        assert all(np.allclose(got[name], whole[name], atol=1e-6) for name in whole), parts


def test_the_best_validations_keep_their_checkpoints(world: World) -> None:
    sets = ("training.steps=12", "training.validate_every=2", "training.keep=2")
    run = _train(world, *sets, "training.optimiser.rate=0.02")
    folder = world.root / "runs" / run.run
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    found = {line["step"]: line["validation"] for line in lines if "validation" in line}
    assert list(found) == [2, 4, 6, 8, 10, 12]
    first, second = sorted(found, key=found.__getitem__)[:2]
    kept = {path.stem for path in (folder / "checkpoints").glob("*.safetensors")}
    assert kept == {"best", "last", f"step-{first}", f"step-{second}"}
    best, same = (
        _weights(folder / f"checkpoints/{n}.safetensors") for n in ("best", f"step-{first}")
    )
    assert all(np.array_equal(best[name], same[name]) for name in best)
    assert run.metrics["best_step"] == first


def test_half_precision_computes_coarsely_and_keeps_whole_weights(world: World) -> None:
    sets = (*PLAIN, "training.steps=2")
    whole = _train(world, *sets).checkpoint
    coarse = _train(world, *sets, "training.precision=bf16-mixed").checkpoint
    tensors = read_checkpoint(coarse).tensors
    weights = [name for name, one in tensors.items() if one.numpy().dtype == np.float32]
    assert weights
    exact, rough = _weights(whole), _weights(coarse)
    gaps = [np.max(np.abs(exact[name] - rough[name]), initial=0) for name in weights]
    assert 0 < max(gaps) < 10 * RATE * torch.finfo(torch.bfloat16).eps
