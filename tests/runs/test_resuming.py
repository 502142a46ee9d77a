"""A training that was killed and resumed ends with the bits of one that was not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_world import World, environment

from wxreg.artifacts.checkpoint_file import read_checkpoint
from wxreg.errors import Conflict
from wxreg.ledger import queries
from wxreg.runs.training.resume import read_point

STEPS = 40
WORDS = ("train", "tiny-v1", "--threads", "1", "--resume-every", "0")
Copies = Callable[[str], World]


def _plan_words(workers: int, accumulate: int) -> tuple[str, ...]:
    sets = (f"training.steps={STEPS}", f"training.accumulate={accumulate}")
    options = [word for one in sets for word in ("--set", one)]
    return (*WORDS, *options, "--workers", str(workers))


def _points(world: World) -> list[Path]:
    return sorted(world.root.glob("runs/train-*/resume/point.safetensors"))


def _wait_for_step(world: World, step: int, process: subprocess.Popen[str]) -> int:
    """Watch the resume point until it has reached a step."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit and process.poll() is None:
        for point in _points(world):
            reached = int(read_checkpoint(point).metadata["step"])
            if reached >= step:
                return reached
        time.sleep(0.005)
    out, error = process.communicate(timeout=5)
    raise AssertionError(f"no resume point of step {step}: {process.returncode} {out} {error}")


def _listens_to_interrupts() -> None:
    """A suite that was started in the background hands on an ignored SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _killed(world: World, words: tuple[str, ...], how: signal.Signals, step: int) -> int:
    """Start a training, kill it some time after a step, and return its exit status."""
    process = subprocess.Popen(
        world.command(*words),
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_listens_to_interrupts,
    )
    try:
        _wait_for_step(world, step, process)
        time.sleep(random.Random(step).random() * 0.03)  # anywhere between two steps
        process.send_signal(how)
        process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode


def _checkpoints(world: World, document: dict[str, Any]) -> dict[str, str]:
    with world.ledger() as ledger:
        found: dict[str, str] = queries.run(ledger, document["run"]).outcome["checkpoints"]
    return found


def _compare(copies: Copies, words: tuple[str, ...], how: signal.Signals, steps: list[int]) -> None:
    whole, broken = copies("whole"), copies("broken")
    status, expected = whole.reg(*words)
    assert status == 0, expected
    first = _killed(broken, words, how, steps[0])
    assert first == {signal.SIGKILL: -9, signal.SIGTERM: 143}.get(how, first) and first != 0
    for step in steps[1:]:
        _killed(broken, (*words, "--resume"), how, step)
    status, resumed = broken.reg(*words, "--resume")
    assert status == 0, resumed
    assert resumed["checkpoint"]["sha256"] == expected["checkpoint"]["sha256"]
    assert resumed["metrics"] == expected["metrics"]
    assert _checkpoints(broken, resumed) == _checkpoints(whole, expected)
    with broken.ledger() as ledger:
        states = [run.state for run in queries.runs(ledger)]
    assert states == ["finished", *["killed" for _ in steps]]


@pytest.mark.parametrize(
    ("workers", "accumulate", "how"),
    [(2, 2, signal.SIGTERM), (0, 2, signal.SIGINT)],
)
def test_a_training_that_is_told_to_stop_resumes_to_the_same_bits(
    copies: Copies, workers: int, accumulate: int, how: signal.Signals
) -> None:
    _compare(copies, _plan_words(workers, accumulate), how, [9])


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_commands_killed_twice_resume_to_the_same_bits(
    copies: Copies, workers: int, how: signal.Signals
) -> None:
    """Each signal to the real command; places and accumulations: ``test_killed_anywhere.py``."""
    _compare(copies, _plan_words(workers, 2), how, [5, 23])


def test_sigterm_writes_a_resume_point_of_the_step_that_is_done(world: World) -> None:
    words = ("train", "tiny-v1", "--threads", "1", "--resume-every", "9999")
    words += ("--set", "training.steps=4000", "--set", "training.validate_every=5")
    process = subprocess.Popen(
        world.command(*words), env=environment(), text=True, stdout=subprocess.PIPE
    )
    limit = time.monotonic() + 60
    while not list(world.root.glob("runs/*/metrics.jsonl")) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not _points(world)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    (point,) = _points(world)
    assert 0 < int(read_checkpoint(point).metadata["step"]) < 4000
    (record,) = (json.loads(one.read_text()) for one in world.root.glob("runs/*/run.json"))
    assert record["run"]["state"] == "killed"


def test_a_resume_point_of_another_plan_is_refused(world: World) -> None:
    words = _plan_words(0, 1)
    _killed(world, words, signal.SIGKILL, 3)
    (point,) = _points(world)
    with pytest.raises(Conflict) as caught:
        read_point(point, "f" * 64)
    assert caught.value.code == "REG-660"
    assert caught.value.hint
    status, told = world.reg(*words, "--seed", "7", "--resume")
    assert (status, told["error"]["code"]) == (3, "REG-360")
    assert point.is_file()
