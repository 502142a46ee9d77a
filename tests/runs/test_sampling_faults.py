"""A sampling that is killed goes on where it stopped and ends with the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from noisy_world import NoisyWorld, fields_of
from tiny_world import World, environment

from wxreg.data.forecast_files import read_claim
from wxreg.ledger import queries
from wxreg.runs import recording
from wxreg.runs.sampling import sample as sampling
from wxreg.runs.sampling.sample import Sampled

WORDS = ("sample", "noisy-v1", "--members", "40", "--limit", "4", "--set", "training.steps=3",
         "--device", "cpu", "--set", "sampling.sampler.steps=6")  # fmt: skip


@pytest.fixture
def own(noisy: NoisyWorld, tmp_path: Path) -> NoisyWorld:
    """A copy in which nothing else runs."""
    root = shutil.copytree(noisy.world.root, tmp_path / "own")
    shutil.rmtree(root / "forecasts", ignore_errors=True)
    return NoisyWorld(World(root), noisy.model, noisy.trained)


def chunks(store: Path) -> dict[str, str]:
    """Every byte of the fields; the claim names the run, which differs."""
    return {
        path.relative_to(store).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.name != "zarr.json"
    }


def _start(world: World) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        world.command(*WORDS),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_sampling_goes_on_and_gives_the_same_bytes(
    own: NoisyWorld, how: signal.Signals
) -> None:
    world = own.world
    process = _start(world)
    try:
        journal = _wait_for_fields(world, process)
        os.kill(process.pid, how)
        assert process.wait(60) != 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    left = len(journal.read_text().splitlines())
    assert left
    status, document = world.reg(*WORDS)
    assert status == 0, document
    made = Path(document["forecast"]["path"])
    assert read_claim(made)["claim"]["sampling_run"] == document["run"]
    assert not list((world.root / "forecasts").glob("*.writing.jsonl"))
    status, whole = world.reg(*WORDS)
    assert status == 0 and whole["forecast"]["digest"] == document["forecast"]["digest"]
    assert chunks(made) == chunks(Path(whole["forecast"]["path"]))
    if how is signal.SIGTERM:
        with world.ledger() as ledger:
            assert "killed" in {run.state for run in queries.runs(ledger)}


def _wait_for_fields(world: World, process: subprocess.Popen[bytes]) -> Path:
    """Until some fields are journalled, and not all of them."""
    limit = time.monotonic() + 120
    while time.monotonic() < limit and process.poll() is None:
        for journal in (world.root / "forecasts").glob("*.writing.jsonl"):
            if journal.read_text().count("\n") >= 8:
                return journal
        time.sleep(0.002)
    raise AssertionError(f"nothing was written: {process.poll()}")


@pytest.mark.parametrize("where", ["before the seal", "within the seal"])
def test_sigterm_while_sealing_loses_nothing(
    own: NoisyWorld, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    module, name = (sampling, "seal_forecast") if where[0] == "b" else (recording, "seal")
    real = getattr(module, name)

    def interrupted(*words: object, **more: object) -> object:
        monkeypatch.setattr(module, name, real)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        return real(*words, **more)

    monkeypatch.setattr(module, name, interrupted)
    plan = own.plan(members=4)
    with pytest.raises(SystemExit):
        own.sample(plan)
    with own.world.ledger() as ledger:
        assert queries.runs(ledger)[0].state == "killed"
    again: Sampled = own.sample(plan)
    third = own.sample(plan)
    assert again.digest == third.digest
    assert fields_of(again.forecast) == fields_of(third.forecast)
    status, document = own.world.reg("whence", str(again.forecast))
    assert (status, document["status"]) == (0, "verified")
