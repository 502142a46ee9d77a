"""``dvc pull && dvc repro`` in a fresh clone, in a folder with a space in its name."""

from __future__ import annotations

import json
import os
import shutil
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


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone that was pulled as a DVC user does it, without `reg`."""
    folder = tmp_path_factory.mktemp("dvc")
    call(folder, "git", "clone", "-q", str(ROOT), "a fresh clone")
    call(folder / "a fresh clone", "dvc", "pull", "-q")
    return folder / "a fresh clone"


@pytest.mark.slow
def test_a_fresh_clone_pulls_every_version(clone: Path) -> None:
    library = Library(clone)
    for dataset in library.ids("dataset"):
        for name in library.versions(dataset):
            version = library.version(DataRef(dataset, name))
            assert tree_digest(clone / "data" / dataset / name).digest == version.content
    assert "up to date" in call(clone, "dvc", "status", "data/hrrr/mini-1.dvc")
    assert "Everything is up to date" in call(clone, "dvc", "push")
    assert not call(clone, "git", "status", "--porcelain").strip()


@pytest.mark.slow
def test_a_tampered_cache_is_found_and_repaired(clone: Path) -> None:
    cache = clone / ".dvc" / "cache" / "files" / "md5"
    victims = sorted(path for path in cache.rglob("*") if path.is_file())[:2]
    for victim, content in zip(victims, (b"tampered", b""), strict=True):
        victim.chmod(0o644)
        victim.write_bytes(content)
    shutil.rmtree(clone / "data" / "hrrr" / "mini-1")
    shutil.rmtree(clone / "data" / "sevir" / "mini-1")
    for version in ("hrrr@mini-1", "hrrr@mini-2", "sevir@mini-1", "era5@mini-1"):
        call(clone, "reg", "pull", version)
        ref = DataRef.parse(version)
        folder = clone / "data" / ref.dataset / version.partition("@")[2]
        assert tree_digest(folder).digest == Library(clone).version(ref).content


@pytest.mark.slow
def test_plain_dvc_pushes_to_s3_and_pulls_from_it(clone: Path) -> None:
    sys.path.insert(0, str(ROOT / "tests" / "data"))
    from archive_servers import s3_archive

    with s3_archive("released", {}) as options:
        endpoint = options["client_kwargs"]["endpoint_url"]
        call(clone, "dvc", "remote", "add", "--local", "lab", "s3://released/wxreg")
        for name, value in (("endpointurl", endpoint), ("access_key_id", "x"),
                            ("secret_access_key", "x")):  # fmt: skip
            call(clone, "dvc", "remote", "modify", "--local", "lab", name, value)
        call(clone, "dvc", "push", "-q", "-r", "lab", "data/era5/mini-1.dvc")
        shutil.rmtree(clone / "data" / "era5" / "mini-1")
        shutil.rmtree(clone / ".dvc" / "cache")
        call(clone, "dvc", "pull", "-q", "-r", "lab", "data/era5/mini-1.dvc")
    version = Library(clone).version(DataRef("era5", "mini-1"))
    assert tree_digest(clone / "data" / "era5" / "mini-1").digest == version.content
    call(clone, "dvc", "pull", "-q")  # the rest comes from the remote that ships with the clone


@pytest.mark.slow
def test_the_pipeline_repeats_and_then_rests(clone: Path) -> None:
    call(clone, "dvc", "repro", "-q", "statistics")
    assert not call(clone, "git", "status", "--porcelain", "catalog", "data").strip()
    again = call(clone, "dvc", "repro", "statistics")
    assert "Stage 'statistics' didn't change, skipping" in again
    assert "statistics" not in call(clone, "dvc", "status", "statistics")
    call(clone, "dvc", "repro", "-q")
    made = json.loads((clone / "pipeline" / "evaluate.json").read_text())
    assert made
    assert "up to date" in call(clone, "dvc", "repro")


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
