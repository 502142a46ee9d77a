"""The physical penalties of an entry are told term by term: weight, value, share of the pull."""

from __future__ import annotations

import json
import math
from pathlib import Path

from entry_worlds import QUIET, EntryWorld

from wxreg.runs.training.train import train

NAME = "aurora-hrrr-physics-v1"
LENGTH = (("training.steps", "2"), ("training.validate_every", "1"), ("training.batch", "1"))


def test_each_physical_penalty_says_what_it_weighs_and_how_hard_it_pulls(tmp_path: Path) -> None:
    world = EntryWorld.make(tmp_path / "world")
    world.need_data(NAME)
    plan = world.plan(NAME, *LENGTH, ("training.validation_batches", "1"))
    with world.ledger() as ledger:
        run = train(world.library, ledger, plan, QUIET).run
    declared = {term.name: term.weight for term in plan.training.loss}
    text = (world.root / "runs" / run / "metrics.jsonl").read_text()
    told = [json.loads(line) for line in text.splitlines()]
    told = [line for line in told if "gradient_shares" in line]
    assert told
    for line in told:
        assert line["weights"] == declared
        assert line["terms"].keys() == line["gradient_shares"].keys() == declared.keys()
        assert all(math.isfinite(value) and value >= 0 for value in line["terms"].values())
        assert math.isclose(sum(line["gradient_shares"].values()), 1, abs_tol=1e-4)
    assert any(line["gradient_shares"]["cape-cin"] > 0 for line in told), told
