"""A sampling that cannot be is refused in plain words, before anything heavy is loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from noisy_world import NoisyWorld
from tiny_world import World, environment

SCRIPT = """
import sys
from wxreg.cli.main import run
try:
    run(sys.argv[1:])
except SystemExit:
    loaded = sorted({"torch", "lightning", "xarray", "zarr"} & set(sys.modules))
    assert not loaded, loaded
"""
MISTAKES = {
    "entry": (("noisy-v2",), "REG-300", "noisy-v1"),
    "dataset": (("noisy-v1", "--data", "alfa@tiny"), "REG-300", "alpha"),
    "version": (("noisy-v1", "--data", "alpha@tini"), "REG-300", "tiny"),
    "option": (("noisy-v1", "--member", "4"), "REG-290", "--help"),
    "path": (("noisy-v1", "--set", "sampling.memberbatch=4"), "REG-200", "sampling.member_batch"),
    "type": (("noisy-v1", "--set", "sampling.member_batch=many"), "REG-202", "integer"),
    "range": (("noisy-v1", "--set", "sampling.member_batch=0"), "REG-202", "1"),
    "choice": (("noisy-v1", "--set", "sampling.missing=guess"), "REG-202", "persistence"),
    "pair": (("noisy-v1", "--set", "sampling.perturbation=0.1"), "REG-202", "perturbed-inputs"),
    "lead": (("noisy-v1", "--lead-time", "90min"), "REG-400", "1h"),
    "init": (("noisy-v1", "--init", "yesterday"), "REG-200", "2023-06-01T00:00"),
    "split": (("noisy-v1", "--split", "tests"), "REG-200", "test"),
    "format": (("noisy-v1", "--format", "grib"), "REG-200", "netcdf"),
    "cases": (("noisy-v1", "--cases", "storms"), "REG-300", "case"),
    "file": (("nowhere/best.safetensors",), "REG-301", "checkpoint"),
    "untrained": (("tiny-v1",), "REG-360", "reg train tiny-v1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_code_and_remedy(made_world: World, mistake: str) -> None:
    words, code, said = MISTAKES[mistake]
    command = [sys.executable, "-c", SCRIPT, *made_world.command()[1:], "sample", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == code, error
    assert said in f"{error['message']} {error['hint']}", error
    assert not list((made_world.root / "forecasts").glob("*"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--init", "2021-01-01T00:00"), "REG-461", "2021-01-01T00:00"),
        (("--device", "cuda"), "REG-460", "cpu"),
        (("--out", "/elsewhere/f.zarr"), "REG-203", "leaves"),
        (("--rule", "epoch=9"), "REG-360", "best"),
    ],
)
def test_what_only_the_data_or_the_machine_can_tell(
    noisy: NoisyWorld, words: tuple[str, ...], code: str, said: str
) -> None:
    status, document = noisy.world.reg(
        "sample", "noisy-v1", "--set", "training.steps=3", "--limit", "1", *words
    )
    error = document["error"]
    assert status and error["code"] == code, error
    assert said in f"{error['message']} {error['hint']}", error
