"""Workspaces in which the entries of this repository's registry are trained on the shipped data."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import Resolved, resolve
from wxreg.runs.reproducing import Reproduction, reproduce
from wxreg.runs.training.train import TrainOptions, train
from wxreg.specs.plan import Selection, TrainPlan

CHECKOUT = Path(__file__).parents[2]
QUIET = TrainOptions(quiet=True, accelerator="cpu")
SHORT = (("training.steps", "20"), ("training.validate_every", "20"))
SHORT_OPTIONAL = {"training.validation_batches": "1", "training.accumulate": "1"}


def trainable(*datasets: str) -> list[str]:
    """Every entry on those input datasets that is trained or fitted."""
    library = Library(CHECKOUT)
    models = {name: library.model(name, "mini") for name in library.ids("model")}
    return [
        name
        for name, model in models.items()
        if model.training.kind != "none" and model.inputs.dataset in datasets
    ]


@dataclass(frozen=True)
class EntryWorld:
    """A workspace with this repository's entries and data, and runs of its own."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> EntryWorld:
        """Source bytes are linked; entries, and prepared stores where they are, are copied."""
        (root / "data").mkdir(parents=True)
        for name in ("catalog", "cards", ".dvc"):
            (root / name).symlink_to(CHECKOUT / name)
        shutil.copytree(CHECKOUT / "registry", root / "registry")
        for path in (CHECKOUT / "data").iterdir():
            if path.name != "prepared":
                (root / "data" / path.name).symlink_to(path)
        if (CHECKOUT / "data" / "prepared").is_dir():
            shutil.copytree(CHECKOUT / "data" / "prepared", root / "data" / "prepared")
        return cls(root)

    @property
    def library(self) -> Library:
        return Library(self.root)

    def ledger(self) -> Ledger:
        return Ledger.open(str(self.root / ".reg" / "ledger.db"))

    def plan(self, name: str, *sets: tuple[str, str]) -> TrainPlan:
        found = resolve(self.library, Request(model=name, overrides=sets))
        assert isinstance(found, Resolved) and isinstance(found.plan, TrainPlan)
        return found.plan

    def short_plan(self, name: str) -> TrainPlan:
        """Twenty steps of small batches; a fit is one pass and stays as it is."""
        training = self.library.model(name, "mini").training
        if training.kind == "fit":
            return self.plan(name)
        batch = "8" if training.select == "soup" else "2"
        return self.plan(name, *SHORT, ("training.batch", batch), *SHORT_OPTIONAL.items())

    def need_data(self, name: str) -> None:
        """Skip where the bytes of an entry's versions were not pulled."""
        plan = self.plan(name)
        for store in (plan.inputs, plan.targets):
            dataset, _, version = store.dataset.partition("@")
            if not (CHECKOUT / "data" / dataset / version).is_dir():
                pytest.skip(f"{store.dataset} is not here: `reg pull {store.dataset}` fetches it")

    def train_twice(self, plan: TrainPlan) -> Reproduction:
        """Train, and reproduce the run from its record alone."""
        with self.ledger() as ledger:
            made = train(self.library, ledger, plan, QUIET)
            return reproduce(self.library, ledger, made.run, quiet=True)

    def taught(self, plan: TrainPlan, teacher: str) -> TrainPlan:
        """The plan of a student whose teacher is trained here, for a few steps only."""
        own = self.short_plan(teacher)
        with self.ledger() as ledger:
            train(self.library, ledger, own, QUIET)
        chosen = Selection(train_plan=own.digest(), rule=own.training.select)
        return plan.model_copy(update={"teacher": chosen})


def check_entry(world: EntryWorld, name: str) -> None:
    """Twenty steps twice on the CPU give the same bits."""
    world.need_data(name)
    plan = world.short_plan(name)
    teacher = world.library.model(name, "mini").training.teacher
    if teacher is not None:
        plan = world.taught(plan, teacher)
    found = world.train_twice(plan)
    assert (found.verdict, found.difference) == ("identical", None)
    assert found.then == found.now
