"""A training step of ours against a bare PyTorch loop over the same network and tensors.

Both loops advance in turn, one step each, so that whatever else the machine does falls on both:
the bare step is made while our loop waits for its next batch.  The median of the ratios of
neighbouring steps counts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from measure import Figure, Pair, report
from sampling_members import a_batch, blueprint

BUDGET, STEPS, WARM, BATCH = 1.05, 100, 5, 16
SHORTEST = 0.05
"""A bare step takes at least this long."""


class InTurn(torch.utils.data.IterableDataset[Any]):
    """One batch for ever; before each is handed out, the other loop makes a step."""

    def __init__(self, batch: Any, other: Callable[[], None]) -> None:
        self._batch = batch
        self._other = other
        self.pairs: list[tuple[float, float]] = []
        """Seconds of our step and of the bare step beside it."""

    def __iter__(self) -> Iterator[Any]:
        handed = None
        while True:
            asked = time.perf_counter()
            self._other()
            done = time.perf_counter()
            if handed is not None:
                self.pairs.append((asked - handed, done - asked))
            handed = time.perf_counter()
            yield self._batch


def main() -> list[Figure]:
    """The ratio of neighbouring steps, and the median of either side."""
    with tempfile.TemporaryDirectory() as folder:
        plan = plain_plan()
        turns = InTurn(a_batch(BATCH), bare_step(plan))
        train(plan, turns, Path(folder))
    pairs = turns.pairs[WARM:]
    ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    if bare < SHORTEST:
        raise SystemExit(f"a bare step takes {bare:.3f} s: too short to compare")
    ratio = statistics.median(one / other for one, other in pairs)
    return [Pair(ratio, ours, bare).figure("training_step", BUDGET)]


def plain_plan() -> Any:
    """An entry's training without what a bare loop does not do either."""
    from wxreg.library.loading import Library
    from wxreg.resolve.request import Request
    from wxreg.resolve.resolver import Resolved, resolve
    from wxreg.specs.plan import TrainPlan

    found = resolve(Library(Path(__file__).parents[1]), Request(model="unet-hrrr-v1"))
    assert isinstance(found, Resolved)
    plan = found.plan
    assert isinstance(plan, TrainPlan)
    bare = {"ema": None, "clip": None, "accumulate": 1, "precision": "32", "recompute": False}
    return plan.model_copy(update={"training": plan.training.model_copy(update=bare)})


def build_network() -> Any:
    """A U-Net whose step takes more than 50 ms on two cores."""
    from wxreg.models.building import build

    return build(blueprint("unet", {"base": 24, "depth": 3}), seed=0)


def train(plan: Any, batches: InTurn, folder: Path) -> None:
    """Our loop as `reg train` runs it; its resume point and validation come after the last step."""
    from wxreg.runs.progress import Bar
    from wxreg.runs.training.files import Files
    from wxreg.runs.training.loop import Between
    from wxreg.runs.training.module import TrainingModule
    from wxreg.runs.training.resume import Best
    from wxreg.runs.training.trainer import make_trainer

    steps = STEPS + WARM
    module = TrainingModule(build_network().train(), plan, steps, steps)
    between = Between(
        plan,
        Files(folder),
        [a_batch(1)],
        Best(),
        every=1_000_000,
        resume_seconds=1e9,
        bar=Bar("", steps, quiet=True),
    )
    trainer = make_trainer(plan, steps, 1, 1, "cpu", between)
    module.train_dataloader = lambda: torch.utils.data.DataLoader(batches, batch_size=None)
    trainer.fit(module)


def bare_step(plan: Any) -> Callable[[], None]:
    """One step of the loop that everybody writes."""
    from wxreg.runs.training.module import make_optimizer

    network, batch = build_network().train(), a_batch(BATCH)
    optimizer = make_optimizer(network, plan.training)
    generator = torch.Generator()

    def step() -> None:
        optimizer.zero_grad()
        network.loss(batch, generator).total.backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    report(main())
