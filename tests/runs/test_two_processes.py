"""Two processes train the declared global batch; only the first one writes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_world import World, environment

from wxreg.artifacts.checkpoint_file import read_checkpoint
from wxreg.ledger import queries

WORDS = ("train", "tiny-v1", "--threads", "1", "--device", "cpu", "--set", "training.steps=6")


def _largest_difference(one: Path, two: Path) -> float:
    a, b = read_checkpoint(one).tensors, read_checkpoint(two).tensors
    assert a.keys() == b.keys()
    return max(
        float(np.abs(a[k].numpy().astype("f8") - b[k].numpy().astype("f8")).max()) for k in a
    )


def test_two_processes_train_the_declared_global_batch(copies: Callable[[str], World]) -> None:
    alone, pair = copies("alone"), copies("pair")
    status, one = alone.reg(*WORDS)
    assert status == 0, one
    status, two = pair.reg(*WORDS, "--devices", "2", timeout=120)
    assert status == 0, two
    assert two["plan"] == one["plan"]
    paths = [Path(found["checkpoint"]["path"]) for found in (one, two)]
    assert _largest_difference(*paths) < 1e-4, "the pair saw another batch"
    with pair.ledger() as ledger:
        (run,) = queries.runs(ledger)
    assert run.state == "finished"
    assert run.details["conditions"]["world"] == 2
    lines = (paths[1].parents[1] / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [6]


@pytest.mark.slow
def test_a_launcher_starts_one_training(copies: Callable[[str], World]) -> None:
    alone, pair = copies("alone"), copies("launched")
    status, one = alone.reg(*WORDS, "--devices", "2", timeout=120)
    assert status == 0, one
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launcher, *pair.command(*WORDS, "--devices", "2")],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    two = json.loads(done.stdout)
    assert two["checkpoint"]["sha256"] == one["checkpoint"]["sha256"]
    with pair.ledger() as ledger:
        assert [run.state for run in queries.runs(ledger)] == ["finished"]
