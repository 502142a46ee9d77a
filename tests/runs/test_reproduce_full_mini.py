"""Whole mini trainings, run twice, give the same bits: two in CI, all others on request.

One class each, so that workers share them out.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from entry_worlds import CHECKOUT, EntryWorld, trainable

from wxreg.library.loading import Library

IN_CI = ("aurora-hrrr-v1", "ddpm-hrrr-v1")
DATASETS = Library(CHECKOUT).ids("dataset")
OTHERS = [name for name in trainable(*DATASETS) if name not in IN_CI]
LIMIT = pytest.mark.timeout(1800)


def check(root: Path, name: str) -> None:
    world = EntryWorld.make(root / "world")
    world.need_data(name)
    plan = world.plan(name)
    teacher = world.library.model(name, "mini").training.teacher
    if teacher is not None:
        plan = world.taught(plan, teacher)
    found = world.train_twice(plan)
    assert (found.verdict, found.difference) == ("identical", None)
    assert found.then == found.now


class TestAurora:
    @LIMIT
    def test_a_whole_training_twice_is_identical(self, tmp_path: Path) -> None:
        check(tmp_path, "aurora-hrrr-v1")


class TestDiffusion:
    @LIMIT
    def test_a_whole_training_twice_is_identical(self, tmp_path: Path) -> None:
        check(tmp_path, "ddpm-hrrr-v1")


@pytest.mark.slow
class TestOthers:
    @LIMIT
    @pytest.mark.parametrize("name", OTHERS)
    def test_a_whole_training_twice_is_identical(self, tmp_path: Path, name: str) -> None:
        check(tmp_path, name)
