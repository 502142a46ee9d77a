"""Weights are sampled only by the system they belong to; anything else is refused, never loaded."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from noisy_world import QUIET, TIMES
from tiny_world import World

from wxreg.artifacts.digests import file_digest
from wxreg.errors import Incompatible, IntegrityError
from wxreg.leadtime import Duration
from wxreg.resolve.request import Request
from wxreg.runs.checkpoints import open_checkpoint
from wxreg.runs.sampling.request import sample_request
from wxreg.runs.training.train import TrainOptions, train

Breaking = Callable[[World], None]


@pytest.fixture(scope="module")
def trained(made_world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    world = World(shutil.copytree(made_world.root, tmp_path_factory.mktemp("fit") / "world"))
    plan = world.plan("tiny-v1", "training.steps=2")
    with world.ledger() as ledger:
        made = train(world.library, ledger, plan, TrainOptions(quiet=True, accelerator="cpu"))
    return world, made.checkpoint


@pytest.fixture
def copied(trained: tuple[World, Path], tmp_path: Path) -> tuple[World, Path]:
    """The trained world, for a test to break."""
    world, checkpoint = trained
    copy = World(shutil.copytree(world.root, tmp_path / "world"))
    return copy, copy.root / checkpoint.relative_to(world.root)


def sample_file(world: World, checkpoint: Path, **more: Any) -> Any:
    request = Request(model="tiny-v1", task="sample", times=TIMES, **more)
    with world.ledger() as ledger:
        return sample_request(world.library, ledger, request, checkpoint, quiet=QUIET.quiet)


def other_order(world: World) -> None:
    world.change_model(
        targets={"variables": ["refc", "t2m"]}, inputs={"variables": ["refc", "t2m"]}
    )


def another_variable(world: World) -> None:
    world.change_model(inputs={"variables": ["t2m", "refc", "u10"]})


def more_history(world: World) -> None:
    world.change_model(inputs={"history": ["1h", "0h"]})


def another_architecture(world: World) -> None:
    world.change_model(architecture={"name": "ddpm", "settings": {"base": 4, "depth": 1}})


def other_statistics(world: World) -> None:
    path = world.root / "catalog" / "stats" / "alpha" / "tiny" / "native.yaml"
    known = yaml.safe_load(path.read_text())
    known["channels"]["t2m"]["values"]["mean"] += 1.0
    path.write_text(yaml.safe_dump(known, sort_keys=False))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_order, "in the order t2m, refc; the entry has refc, t2m"),
        (another_variable, "its inputs are others: it lacks u10"),
        (more_history, "it reads 1 input steps, the entry gives 2"),
        (another_architecture, "it holds a unet, the entry is a ddpm"),
        (other_statistics, "it normalises its inputs with the statistics"),
    ],
)
def test_a_checkpoint_of_another_entry_is_refused(
    copied: tuple[World, Path], change: Breaking, said: str
) -> None:
    world, checkpoint = copied
    change(world)
    with pytest.raises(Incompatible) as refusal:
        sample_file(world, checkpoint)
    assert refusal.value.code == "REG-442"
    assert said in str(refusal.value)
    assert refusal.value.hint


def test_the_checkpoint_itself_is_sampled(copied: tuple[World, Path]) -> None:
    world, checkpoint = copied
    _, sampled, _ = sample_file(world, checkpoint)
    assert sampled.inits == len(TIMES)


class Boom:
    """A pickle that would write a file if it were loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def one_bit(content: bytes) -> bytes:
    return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


@pytest.mark.parametrize("damage", [truncated, one_bit])
def test_a_damaged_file_is_refused(copied: tuple[World, Path], damage: Any) -> None:
    _, checkpoint = copied
    pinned = file_digest(checkpoint)
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(IntegrityError):
        open_checkpoint(checkpoint, expected=pinned)


def test_a_pickle_is_refused_and_never_loaded(copied: tuple[World, Path], tmp_path: Path) -> None:
    world, checkpoint = copied
    trap = tmp_path / "loaded"
    checkpoint.write_bytes(pickle.dumps(Boom(trap)))
    with pytest.raises(IntegrityError, match="pickle"):
        sample_file(world, checkpoint)
    assert not trap.exists()


def test_a_lead_beyond_the_range_is_refused_with_the_nearest(copied: tuple[World, Path]) -> None:
    world, checkpoint = copied
    with pytest.raises(Incompatible, match="lead-is-allowed") as refusal:
        sample_file(world, checkpoint, leads=(Duration.parse("9h"),))
    assert "tiny-v1" in str(refusal.value.hint)
