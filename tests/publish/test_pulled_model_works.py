"""A model that one lab trained and published works in an empty workspace of another."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tiny_world import make_world

CARD = """spec: 1
model: tiny-v1
intended: A test of exchange.
unsuited: anything else.
limits: [It knows five days of waves.]
ethics: None.
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_sample_and_evaluate_run_from_a_pulled_model(hub, tmp_path, reg_command, repository):
    def reg(root: Path, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [*reg_command, "--json", *words],
            cwd=root,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"reg {' '.join(words)}: {done.stdout}{done.stderr}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    first = make_world(tmp_path / "lab one").root
    shutil.copytree(repository / "cards" / "templates", first / "cards" / "templates")
    (first / "cards" / "tiny-v1.yaml").write_text(CARD)
    trained = reg(first, "train", "tiny-v1", "--threads", "1")
    told = reg(first, "publish", "tiny-v1", "--to", "lab-one/tiny")
    assert told["tag"] == "v1"

    reg(tmp_path, "init", "lab two", "--bare")
    second = tmp_path / "lab two"
    pulled = reg(second, "pull", "lab-one/tiny@v1")
    assert pulled["sha256"] == trained["checkpoint"]["sha256"]
    assert reg(second, "check")["findings"] == []
    # The bytes of the data come from a DVC remote, which the two labs share in their own way.
    shutil.copytree(first / "data" / "alpha" / "tiny", second / "data" / "alpha" / "tiny")
    sampled = reg(second, "sample", pulled["checkpoint"])
    scores = reg(second, "evaluate", sampled["forecast"]["path"])
    assert any(row["metric"] == "rmse" and row["value"] > 0 for row in scores["scores"])
    whence = reg(second, "whence", sampled["forecast"]["path"])
    assert whence["status"] == "verified"
    assert whence["training_run"]["id"] == trained["run"]
    assert reg(second, "audit", "--level", "full")["checked"]["runs"] == 3
