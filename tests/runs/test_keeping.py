"""``reg keep`` pins a checkpoint with the real DVC, so that another clone can fetch its bytes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tiny_world import World

from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.dvc import pull_version, push_version
from wxreg.artifacts.layout import Layout
from wxreg.errors import NotFound
from wxreg.runs.keeping import keep
from wxreg.runs.training.train import Trained, TrainOptions, train

CONFIG = """[core]
    analytics = false
    no_scm = true
['remote "models"']
    url = ../models
    verify = true
"""


@pytest.fixture
def kept_world(copies: Callable[[str], World]) -> tuple[World, Trained]:
    """A world under git and DVC in which a model was trained."""
    world = copies("kept")
    (world.root / ".dvc").mkdir(exist_ok=True)
    (world.root / ".dvc" / "config").write_text(CONFIG)
    subprocess.run(["git", "init", "-q", str(world.root)], check=True)
    with world.ledger() as ledger:
        plan = world.plan("tiny-v1", "training.steps=2")
        made = train(world.library, ledger, plan, TrainOptions(quiet=True, accelerator="cpu"))
    return world, made


def test_a_kept_checkpoint_is_fetched_again_bit_by_bit(kept_world: tuple[World, Trained]) -> None:
    world, made = kept_world
    with world.ledger() as ledger:
        kept = keep(world.root, ledger, made.run)
        assert keep(world.root, ledger, made.run) == kept, "keeping twice is keeping once"
    assert kept.sha256 == made.sha256
    pin = yaml.safe_load((world.root / kept.pin).read_text())
    assert pin["outs"][0]["remote"] == "models"
    entry = yaml.safe_load((world.root / kept.entry).read_text())
    assert [(one["sha256"], one["run"]) for one in entry["checkpoints"]] == [
        (made.sha256, made.run)
    ]
    assert push_version(world.root, "checkpoints", made.run) == 2
    folder = Layout(world.root).version("checkpoints", made.run)
    digest = _forget(world, folder)
    pull_version(world.root, "checkpoints", made.run, digest)
    assert file_digest(folder / made.checkpoint.name) == made.sha256


def _forget(world: World, folder: Path) -> str:
    """Lose the copy, DVC's cache and the run's own file, as in a fresh clone."""
    from wxreg.artifacts.digests import tree_digest

    digest = tree_digest(folder).digest
    for lost in (folder, world.root / ".dvc" / "cache", world.root / "runs"):
        shutil.rmtree(lost)
    return digest


def test_what_made_no_checkpoint_cannot_be_kept(kept_world: tuple[World, Trained]) -> None:
    world, made = kept_world
    with world.ledger() as ledger:
        with pytest.raises(NotFound):
            keep(world.root, ledger, "train-20200101-000000-000000")
        made.checkpoint.unlink()
        with pytest.raises(NotFound, match="is gone") as caught:
            keep(world.root, ledger, made.run)
    assert caught.value.code == "REG-301" and caught.value.hint
    assert not (world.root / "registry" / "checkpoints" / "tiny-v1.yaml").exists()
