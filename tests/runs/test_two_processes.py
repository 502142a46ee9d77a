"""Two processes train the declared global batch; only the first one writes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from child_training import Job, Moment, run, run_plan
from entry_worlds import EntryWorld
from tiny_world import World, environment

from wxreg.artifacts.checkpoint_file import read_checkpoint
from wxreg.artifacts.digests import file_digest
from wxreg.ledger import queries

Copies = Callable[[str], World]
STEPS = "training.steps=6"


def _last(world: World) -> Path:
    """The last weights of the one finished run."""
    with world.ledger() as ledger:
        (finished,) = (one for one in queries.runs(ledger) if one.state == "finished")
    return world.root / "runs" / finished.id / "checkpoints" / "last.safetensors"


def _largest_difference(one: Path, two: Path) -> float:
    a, b = read_checkpoint(one).tensors, read_checkpoint(two).tensors
    assert a.keys() == b.keys()
    return max(
        float(np.abs(a[k].numpy().astype("f8") - b[k].numpy().astype("f8")).max()) for k in a
    )


@pytest.mark.parametrize(
    "sets",
    [
        ("training.optimiser.name=sgd", "training.accumulate=2"),
        pytest.param(("training.optimiser.name=sgd", "training.tile=8"), marks=pytest.mark.slow),
        pytest.param(
            ("training.optimiser.name=sgd", "training.augment=[flip-x, flip-y]"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["accumulated", "tiles", "mirrored"],
)
def test_two_processes_train_the_declared_global_batch(copies: Copies, sets: tuple[str]) -> None:
    """Plain gradient descent tells batches apart: another batch would differ by 1e-3."""
    alone, pair, other = copies("alone"), copies("pair"), copies("other")
    rate = "training.optimiser.rate=0.1"
    job = Job(alone.root, (STEPS, rate, *sets))
    assert run(job) == 0
    assert run(replace(job, root=pair.root, devices=2)) == 0
    assert _largest_difference(_last(alone), _last(pair)) < 2e-6
    assert run(replace(job, root=other.root, sets=(*job.sets, "training.batch=2"))) == 0
    assert _largest_difference(_last(alone), _last(other)) > 1e-3, "this test could not fail"
    with pair.ledger() as ledger:
        (record,) = queries.runs(ledger)
    assert record.details["conditions"]["world"] == 2
    lines = (_last(pair).parents[1] / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [6]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["boundary", "middle"])
def test_a_killed_pair_resumes_to_the_same_bits(copies: Copies, place: str) -> None:
    whole, broken = copies("whole"), copies("broken")
    job = Job(whole.root, ("training.steps=10", "training.accumulate=2"), devices=2)
    assert run(job) == 0
    killed = replace(job, root=broken.root, moment=Moment(place, 5))
    assert run(killed) != 0
    assert run(replace(killed, moment=None, resume=True)) == 0
    assert file_digest(_last(broken)) == file_digest(_last(whole))
    assert json.loads(_metrics(broken)[-1])["step"] == 10


def _metrics(world: World) -> list[str]:
    return (_last(world).parents[1] / "metrics.jsonl").read_text().splitlines()


@pytest.mark.slow
def test_a_launcher_starts_one_training(copies: Copies) -> None:
    """Both processes start from the same given weights, on tiles that are mirrored."""
    alone, pair = copies("alone"), copies("launched")
    donor = _given(alone, pair)
    sets = (
        "training.steps=6",
        "training.tile=8",
        "training.augment=[flip-x]",
        f"training.initial={json.dumps(donor)}",
    )
    words = ("train", "tiny-v1", "--threads", "1", "--device", "cpu", "--devices", "2")
    words += tuple(word for one in sets for word in ("--set", one))
    status, one = alone.reg(*words, timeout=180)
    assert status == 0, one
    two = _launched(pair, words)
    assert two["checkpoint"]["sha256"] == one["checkpoint"]["sha256"]
    with pair.ledger() as ledger:
        assert [each.state for each in queries.runs(ledger)] == ["finished"]


def _given(*worlds: World) -> dict[str, Any]:
    """The same weights in each world, and how an entry names them."""
    first = worlds[0]
    assert run(Job(first.root, ("training.steps=1",))) == 0
    donor = _last(first)
    for world in worlds:
        (world.root / "given.safetensors").write_bytes(donor.read_bytes())
    return {"path": "given.safetensors", "sha256": file_digest(donor)}


@pytest.mark.slow
def test_harpnet_sees_the_same_tiles_in_two_processes(tmp_path: Path) -> None:
    """Random crops of the real grid are shared out; without dropout nothing else is random."""
    ends = {}
    for name, devices, batch in (("alone", 1, 4), ("pair", 2, 4), ("other", 1, 2)):
        world = EntryWorld.make(tmp_path / name)
        world.need_data("harpnet-conus404-v1")
        plan = world.plan(
            "harpnet-conus404-v1",
            ("architecture.settings.dropout", "[0, 0]"),
            ("training.optimiser.name", "sgd"),
            ("training.optimiser.rate", "0.3"),
            ("training.steps", "3"),
            ("training.batch", str(batch)),
            ("training.validation_batches", "1"),
        )
        assert plan.training.tile == 64
        assert run_plan(world.root, plan, devices) == 0
        ends[name] = _last(World(world.root))
    same = _largest_difference(ends["alone"], ends["pair"])
    assert _largest_difference(ends["alone"], ends["other"]) > 1e-3
    assert same < 2e-6


@pytest.mark.slow
def test_a_launched_student_follows_its_teacher(tmp_path: Path) -> None:
    """Each process of a launcher finds the same finished teacher; only the first keeps records."""
    world = EntryWorld.make(tmp_path / "world")
    world.need_data("corrdiff-fast-era5-v1")
    path = world.root / "registry" / "models" / "corrdiff-era5-v1.yaml"
    known = yaml.safe_load(path.read_text())
    mini = known["scales"]["mini"]
    mini["training"] |= {"steps": 2, "validate_every": 2, "batch": 2, "validation_batches": 1}
    mini["architecture"]["settings"] |= {"base": 4, "mean_base": 4, "depth": 2}
    path.write_text(yaml.safe_dump(known, sort_keys=False))
    reg = World(world.root)
    common = ("--threads", "1", "--device", "cpu")
    status, taught = reg.reg("train", "corrdiff-era5-v1", *common, timeout=240)
    assert status == 0, taught
    student = ("train", "corrdiff-fast-era5-v1", *common, "--devices", "2")
    student += ("--set", "training.steps=2", "--set", "training.validate_every=2")
    status, one = reg.reg(*student, timeout=240)
    assert status == 0, one
    two = _launched(reg, (*student, "--again"))
    assert two["run"] != one["run"]
    assert two["checkpoint"]["sha256"] == one["checkpoint"]["sha256"]
    with world.ledger() as ledger:
        assert len(queries.runs(ledger)) == 3
        made_from = queries.run_json(ledger, two["run"])["inputs"]
    assert made_from[taught["checkpoint"]["sha256"]] == "teacher"


def _launched(world: World, words: tuple[str, ...]) -> dict[str, Any]:
    """What a command says that a launcher starts in two processes."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launcher, *world.command(*words)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document
