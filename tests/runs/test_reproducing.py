"""A run that is run again gives the same bits, or the first part that differs is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from noisy_world import NoisyWorld
from tiny_world import World

from wxreg.artifacts.checkpoint_file import read_checkpoint, write_checkpoint
from wxreg.errors import Incompatible, NotFound
from wxreg.leadtime import parse_leads
from wxreg.models import unet
from wxreg.runs.comparing import compare_checkpoints, compare_forecasts
from wxreg.runs.reproducing import Reproduction, reproduce
from wxreg.runs.training.train import Trained, TrainOptions, train

QUIET = TrainOptions(quiet=True, accelerator="cpu")


def again(world: World, run: str) -> Reproduction:
    with world.ledger() as ledger:
        return reproduce(world.library, ledger, run, quiet=True)


def trained(world: World, *sets: str) -> Trained:
    with world.ledger() as ledger:
        return train(world.library, ledger, world.plan("tiny-v1", *sets), QUIET)


def test_a_forecast_is_reproduced_bit_by_bit(noisy: NoisyWorld) -> None:
    made = noisy.sample(noisy.plan(members=3))
    found = again(noisy.world, made.run)
    assert (found.verdict, found.difference) == ("identical", None)
    assert found.then["member_batch"] == found.now["member_batch"] == 2
    assert found.then == found.now


def test_a_training_is_reproduced(copies: Callable[[str], World]) -> None:
    world = copies("again")
    found = again(world, trained(world).run)
    assert (found.verdict, found.difference) == ("identical", None)
    assert {"device", "threads", "world", "torch", "processor"} <= found.then.keys()


def test_a_changed_architecture_constant_names_the_first_layer_that_differs(
    copies: Callable[[str], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code changes under an unchanged plan: the network becomes twice as wide."""
    world = copies("altered")
    made = trained(world)
    real = unet.ConditionalUNet

    def altered(*words: Any, **settings: Any) -> Any:
        return real(*words, **{**settings, "base": 2 * settings["base"]})

    monkeypatch.setattr(unet, "ConditionalUNet", altered)
    found = again(world, made.run)
    assert found.verdict == "different" and found.difference is not None
    names = sorted(read_checkpoint(made.checkpoint).tensors)
    assert found.difference["layer"].startswith("network.")
    assert found.difference["layer"] in names
    assert "against" in found.difference["why"]


def test_other_weights_name_the_first_layer_and_the_largest_difference(
    copies: Callable[[str], World],
) -> None:
    world = copies("slower")
    one, two = trained(world), trained(world, "training.optimiser.rate=0.004")
    found = compare_checkpoints(one.checkpoint, two.checkpoint)
    assert found is not None
    old, new = (read_checkpoint(made.checkpoint).tensors for made in (one, two))
    differing = [name for name in old if old[name].data != new[name].data]
    assert (found["layer"], found["parts"]) == (differing[0], len(differing))
    sizes = [np.abs(old[name].numpy() - new[name].numpy()).max() for name in differing]
    assert 0 < found["largest"] <= float(max(sizes))


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1 + 1e-6, "within tolerance"), (1.01, "different")]
)
def test_how_far_weights_moved_decides_the_verdict(
    copies: Callable[[str], World], factor: float, verdict: str
) -> None:
    """The stored checkpoint is moved by a little, so that its bits cannot be met."""
    world = copies("moved")
    made = trained(world)
    file = read_checkpoint(made.checkpoint)
    name = next(
        name for name, tensor in file.tensors.items() if np.abs(tensor.numpy()).max() > 0.01
    )
    tensor = file.tensors[name]
    moved = (tensor.numpy() * np.float32(factor)).astype("f4")
    tensors = {**file.tensors, name: type(tensor)(tensor.dtype, tensor.shape, moved.tobytes())}
    for path in made.checkpoint.parent.iterdir():  # best and last may be the same weights
        write_checkpoint(path, tensors, dict(file.metadata))
    found = again(world, made.run)
    assert (found.verdict, found.difference["layer"]) == (verdict, name)  # type: ignore[index]


def test_another_forecast_names_variable_init_lead_and_member(noisy: NoisyWorld) -> None:
    leads = parse_leads("1h..2h/1h")
    one = noisy.sample(noisy.plan(members=3, leads=leads))
    two = noisy.sample(noisy.plan(members=3, leads=leads, seed=7))
    found = compare_forecasts(one.forecast, two.forecast)
    assert found is not None
    assert (found["variable"], found["lead"], found["member"]) == ("refc", 3600, 0)
    assert found["init"] == int(np.datetime64("2023-01-05T00:00", "s").astype(int))
    assert found["parts"] == 2 * 2 * 3 * 2 and found["largest"] > 0
    fewer = noisy.sample(noisy.plan(members=2, leads=leads))
    absent = compare_forecasts(one.forecast, fewer.forecast)
    assert absent is not None and absent["member"] == 2 and "only one" in absent["why"]


def test_only_finished_runs_are_reproduced(noisy: NoisyWorld) -> None:
    with pytest.raises(NotFound):
        again(noisy.world, "train-20200101-000000-000000")


def test_a_run_whose_checkpoint_is_gone_is_told_before_it_is_trained_again(
    copies: Callable[[str], World],
) -> None:
    world = copies("gone")
    made = trained(world)
    shutil.rmtree(made.checkpoint.parent)
    with pytest.raises(NotFound, match="nothing to compare with"):
        again(world, made.run)
    assert len(list((world.root / "runs").iterdir())) == 1


def test_a_run_that_failed_is_not_reproduced(copies: Callable[[str], World]) -> None:
    from wxreg.errors import RegError
    from wxreg.ledger import queries

    world = copies("failed")
    with pytest.raises(RegError):
        trained(world, "training.optimiser.rate=1e30", "training.steps=30")
    with world.ledger() as ledger:
        run = queries.runs(ledger)[0].id
    with pytest.raises(Incompatible, match="only a finished run") as caught:
        again(world, run)
    assert caught.value.code == "REG-464"


def test_members_from_checkpoints_are_reproduced(copies: Callable[[str], World]) -> None:
    """Three epochs are three members, each the forecast of its own checkpoint."""
    world = copies("epochs")
    epochs = {"every_epoch": True, "steps": None, "epochs": 3, "validate_every": None}
    members = {"strategy": "checkpoints", "members": 3, "member_batch": 3}
    world.change_model(training=epochs, sampling=members)
    status, document = world.reg("train", "tiny-v1", "--device", "cpu")
    assert status == 0, document
    status, document = world.reg("sample", "tiny-v1", "--init", "2023-01-05T00:00")
    assert status == 0, document
    from wxreg.data.forecast_index import read_index

    forecast = Path(document["forecast"]["path"])
    assert len({entry.digest for entry in read_index(forecast)}) == 3 * 2
    assert again(world, document["run"]).verdict == "identical"
    shutil.rmtree(world.root)
