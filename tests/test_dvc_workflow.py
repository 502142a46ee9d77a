"""``dvc pull && dvc repro`` in a fresh clone, in a folder with a space in its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from wxreg.artifacts.digests import tree_digest
from wxreg.ids import DataRef
from wxreg.library.loading import Library

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
STAGES = ["prepare", "statistics", "train", "sample", "evaluate", "card"]


@pytest.fixture
def stages() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return found


def test_each_stage_is_one_call_of_reg(stages: dict[str, Any]) -> None:
    from wxreg.cli.table import BY_NAME

    assert list(stages) == STAGES
    for stage in stages.values():
        words = stage["cmd"].split()
        assert words[0] == "reg"
        assert words[1] in BY_NAME
        assert not set("|&;$`") & set(stage["cmd"])


def test_dvc_caches_no_output(stages: dict[str, Any]) -> None:
    """Else a fresh `dvc pull` asks remotes for outputs, and the run cache stands in for `reg`."""
    for stage in stages.values():
        for out in stage["outs"]:
            ((_, settings),) = out.items()
            assert settings["cache"] is False


def test_a_stage_waits_for_what_an_earlier_one_makes(stages: dict[str, Any]) -> None:
    made: set[str] = set()
    for number, (name, stage) in enumerate(stages.items()):
        assert number == 0 or made & set(stage["deps"]), f"{name} hangs in the air"
        made |= {path for out in stage["outs"] for path in out}


@pytest.mark.slow
def test_a_fresh_clone_pulls_and_repeats(tmp_path: Path) -> None:
    clone = tmp_path / "a fresh clone"
    call(tmp_path, "git", "clone", "-q", str(ROOT), str(clone))
    call(clone, "dvc", "pull", "-q")
    library = Library(clone)
    for dataset in ("hrrr", "era5"):
        for name in library.versions(dataset):
            version = library.version(DataRef(dataset, name))
            assert tree_digest(clone / "data" / dataset / name).digest == version.content
    call(clone, "dvc", "repro", "-q", "statistics")
    assert not call(clone, "git", "status", "--porcelain", "catalog", "data").strip()
    again = call(clone, "dvc", "repro", "statistics")
    assert "Stage 'statistics' didn't change, skipping" in again
    assert "statistics" not in call(clone, "dvc", "status", "statistics")
    assert "Everything is up to date" in call(clone, "dvc", "push")


def call(folder: Path, *words: str) -> str:
    env = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "DVC_SITE_CACHE_DIR": str(folder.parent / "site"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
