"""An evaluation on a dask cluster, or killed and called again, has the rows of one that was not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_world import World, environment

from wxreg.errors import ExternalError, Incompatible
from wxreg.runs.evaluating.asked import Evaluation
from wxreg.runs.evaluating.cluster import Job, on_cluster
from wxreg.runs.evaluating.plan import evaluation_plan, opened
from wxreg.runs.evaluating.request import plan_of_forecast
from wxreg.runs.evaluating.tally import Tally
from wxreg.runs.evaluating.tallying import tallied
from wxreg.runs.evaluating.units import Unit
from wxreg.specs.protocol import Protocol

distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")
PERSISTENCE = """spec: 1
id: NAME
base: tiny-v1
title: Persistence
summary: The last input step, unchanged.
architecture: {name: persistence}
lead: {mode: direct}
training: {kind: none}
scales:
  mini: {}
"""
SLOW = """
import time
from wxreg.cli.main import run
from wxreg.runs.evaluating import threads as evaluating_threads
score = evaluating_threads.scored
evaluating_threads.scored = lambda *one: (time.sleep(0.3), score(*one))[1]
run()
"""
"""``reg``, slow enough to be killed in the middle."""
COUNTING = """
import atexit, sys
from wxreg.cli.main import run
from wxreg.runs.evaluating import threads as evaluating_threads
score, calls = evaluating_threads.scored, []
evaluating_threads.scored = lambda *one: (calls.append(1), score(*one))[1]
atexit.register(lambda: print(len(calls), file=sys.stderr))
run()
"""
"""``reg`` that says at its end how many parts it computed."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes on loopback, each with a nanny that starts it again."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
        dashboard_address=None, silence_logs=50,
    ) as made:  # fmt: skip
        yield made


@pytest.fixture(scope="module")
def forecast(made_world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """A forecast of persistence, and another model of it as its baseline."""
    root = tmp_path_factory.mktemp("elsewhere") / "world"
    world = World(shutil.copytree(made_world.root, root))
    for name in ("still", "persistence"):
        path = root / "registry" / "models" / f"{name}.yaml"
        path.write_text(PERSISTENCE.replace("NAME", name))
    status, made = world.reg("sample", "still")
    assert status == 0, made
    return world, root / made["forecast"]["path"]


def asked_of(world: World, path: Path) -> Job:
    """The evaluation that ``reg evaluate`` is about to make."""
    with world.ledger() as ledger:
        plan = plan_of_forecast(world.library, ledger, path)
    protocol = world.library.entry("protocol", "simple", Protocol)
    asked = Evaluation(path, plan, plan.targets, protocol, baselines=("persistence",))
    digest = evaluation_plan(world.library, asked, opened(world.library, asked)).digest()
    return Job(world.root, asked, digest)


def rows(document: dict[str, Any]) -> str:
    """What must be equal to the last bit."""
    return json.dumps([document[name] for name in ("scores", "comparisons", "baselines", "pairs")])


@pytest.mark.slow
def test_a_cluster_gives_the_rows_of_one_machine(
    forecast: tuple[World, Path], cluster: Any
) -> None:
    world, path = forecast
    words = ("evaluate", str(path), "--baseline", "persistence", "--no-figures")
    status, here = world.reg(*words)
    assert status == 0, here
    status, there = world.reg(*words, "--scheduler", cluster.scheduler_address)
    assert status == 0, there
    assert rows(here) == rows(there)
    assert here["pairs"] > 20


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing(
    forecast: tuple[World, Path], cluster: Any
) -> None:
    """Its parts are computed by the others; the scheduler starts it again."""
    world, path = forecast
    job = asked_of(world, path)
    streams = opened(world.library, job.asked)
    killed: list[int] = []

    def losing_one(units: Sequence[Unit]) -> Iterator[Tally]:
        for number, part in enumerate(on_cluster(cluster.scheduler_address, job, units)):
            if number == 2:
                killed.append(cluster.workers[0].pid)
                os.kill(killed[0], signal.SIGKILL)
            yield part

    found = tallied(streams, workers=losing_one)
    whole = tallied(streams)
    assert killed
    assert found.done == whole.done > 10
    for key, state in whole.states.items():
        for name, values in state.arrays.items():
            np.testing.assert_array_equal(found.states[key][name], values)


def test_a_scheduler_that_is_not_there_is_told_quickly(forecast: tuple[World, Path]) -> None:
    world, path = forecast
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ExternalError, match="no dask scheduler") as caught:
            list(on_cluster(address, asked_of(world, path), [Unit(0)]))
    assert time.monotonic() - began < 15
    assert address in str(caught.value)
    assert "dask scheduler" in str(caught.value.hint)
    with pytest.raises(ExternalError, match="no dask scheduler"):
        list(on_cluster("nowhere:at:all", asked_of(world, path), [Unit(0)]))


@pytest.mark.slow
def test_a_worker_that_comes_to_another_plan_is_refused(
    forecast: tuple[World, Path], cluster: Any
) -> None:
    world, path = forecast
    job = replace(asked_of(world, path), plan="0" * 64)
    with pytest.raises(Incompatible, match="another plan"):
        list(on_cluster(cluster.scheduler_address, job, [Unit(0)]))
    elsewhere = replace(job, root=world.root / "not-here")
    with pytest.raises(ExternalError, match="does not see the workspace"):
        list(on_cluster(cluster.scheduler_address, elsewhere, [Unit(0)]))


def test_a_killed_evaluation_goes_on_with_the_same_rows(
    forecast: tuple[World, Path], tmp_path: Path
) -> None:
    """Killed with SIGKILL after some parts, it computes none of them again."""
    world = World(shutil.copytree(forecast[0].root, tmp_path / "world"))
    path = world.root / forecast[1].relative_to(forecast[0].root)
    words = ("evaluate", str(path), "--baseline", "persistence", "--no-figures")
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW, *world.command(*words)[1:]],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    kept = world.root / ".reg" / "cache" / "evaluating"
    while child.poll() is None and len(list(kept.glob("*/part-*.safetensors"))) < 3:
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -signal.SIGKILL, child.communicate()
    done = {file: file.stat().st_mtime_ns for file in kept.glob("*/part-*.safetensors")}
    assert len(done) >= 3
    counted = subprocess.run(
        [sys.executable, "-c", COUNTING, *world.command(*words)[1:]],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    again = json.loads(counted.stdout)
    _, whole = world.reg(*words)
    assert rows(again) == rows(whole)
    assert int(counted.stderr.split()[-1]) == whole["inits"] - len(done)
    assert not list(kept.iterdir())
