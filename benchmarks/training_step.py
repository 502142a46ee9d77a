"""A training step of ours against a bare PyTorch loop over the same network and tensors."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from measure import Figure, Pair, report
from sampling_members import a_batch, blueprint

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / name) for name in ("", "runs")]
BUDGET, STEPS, WARM, ROUNDS, BATCH = 1.05, 8, 2, 3, 16


class _Same(torch.utils.data.IterableDataset[Any]):
    """One batch for ever."""

    def __iter__(self) -> Iterator[Any]:
        batch = a_batch(BATCH)
        while True:
            yield batch


def main() -> list[Figure]:
    """Each round times both; the median of the ratios counts."""
    from tiny_world import make_world

    with tempfile.TemporaryDirectory() as folder:
        plan = make_world(Path(folder) / "world").plan(
            "tiny-v1", f"training.steps={STEPS + WARM}", "training.validate_every=1000"
        )
        plan = plan.model_copy(update={"training": plan.training.model_copy(update={"ema": None})})
        times = [(_ours(plan, Path(folder)), _bare(plan)) for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(side) for side in zip(*times, strict=True))
    ratio = statistics.median(one / two for one, two in times)
    return [Pair(ratio, mine, theirs).figure("training_step", BUDGET)]


def _network() -> Any:
    return build_network().train()


def build_network() -> Any:
    """A U-Net whose step takes more than 50 ms on two cores."""
    from wxreg.models.building import build

    return build(blueprint("unet", {"base": 24, "depth": 3}), seed=0)


def _ours(plan: Any, folder: Path) -> float:
    from wxreg.runs.progress import Bar
    from wxreg.runs.resume import Best
    from wxreg.runs.training_loop import Between, Files, make_trainer
    from wxreg.runs.training_module import TrainingModule

    steps = STEPS + WARM
    module = TrainingModule(_network(), plan, steps, steps)
    seen: list[float] = []
    step = module.optimizer_step

    def timed(*words: Any, **more: Any) -> None:
        step(*words, **more)
        seen.append(time.perf_counter())

    module.optimizer_step = timed  # type: ignore[method-assign]
    bar = Bar("", steps, quiet=True)
    between = Between(
        plan,
        Files(folder),
        lambda: [a_batch(1)],
        Best(),
        every=1000,
        resume_seconds=1e9,
        words={},
        bar=bar,
    )
    trainer = make_trainer(plan, steps, 1, 1, "cpu", between)
    module.train_dataloader = lambda: torch.utils.data.DataLoader(_Same(), batch_size=None)
    trainer.fit(module)
    return (seen[-1] - seen[WARM - 1]) / STEPS


def _bare(plan: Any) -> float:
    from wxreg.runs.training_module import make_optimizer

    network, batch = _network(), a_batch(BATCH)
    optimizer = make_optimizer(network, plan.training)
    generator = torch.Generator()
    for number in range(STEPS + WARM):
        if number == WARM:
            began = time.perf_counter()
        optimizer.zero_grad()
        network.loss(batch, generator).total.backward()
        optimizer.step()
    return (time.perf_counter() - began) / STEPS


if __name__ == "__main__":
    report(main())
