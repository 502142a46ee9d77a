"""A trained diffusion ensemble in the tiny world, and how to sample it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiny_world import World

from wxreg.artifacts.digests import file_digest
from wxreg.data.forecast_index import read_index
from wxreg.ledger import queries
from wxreg.ledger.records import RunRecord
from wxreg.runs.sampling.sample import Sampled, SampleOptions, sample
from wxreg.runs.sampling.weights import load_weights_of
from wxreg.runs.training.train import Trained, TrainOptions, train

QUIET = SampleOptions(quiet=True, accelerator="cpu")
TIMES = ("2023-01-05T00:00", "2023-01-05T06:00")


@dataclass(frozen=True)
class NoisyWorld:
    """The world, and the checkpoint of one model in it."""

    world: World
    model: str
    trained: Trained

    @classmethod
    def make(cls, world: World, model: str = "noisy-v1", *sets: str) -> NoisyWorld:
        """Train the model for three steps."""
        plan = world.plan(model, *(sets or ("training.steps=3",)))
        with world.ledger() as ledger:
            made = train(world.library, ledger, plan, TrainOptions(quiet=True, accelerator="cpu"))
        return cls(world, model, made)

    def plan(self, *sets: str, **more: Any) -> Any:
        sha256 = file_digest(self.trained.checkpoint)
        more = {"times": TIMES, "task": "sample", "checkpoint": sha256, **more}
        return self.world.plan(self.model, *sets, **more)

    def sample(self, plan: Any, options: SampleOptions = QUIET, cases: Any = None) -> Sampled:
        with self.world.ledger() as ledger:
            weights = load_weights_of(
                self.world.library, plan, self.trained.checkpoint, self.trained.run
            )
            return sample(self.world.library, ledger, plan, weights, options, cases)

    def record(self, run: str) -> RunRecord:
        with self.world.ledger() as ledger:
            return queries.run(ledger, run)


def fields_of(path: Path, members: int | None = None) -> dict[Any, str]:
    """The digests of a forecast's fields by what they are of."""
    return {
        entry.place(): entry.digest
        for entry in read_index(path)
        if members is None or entry.member < members
    }
