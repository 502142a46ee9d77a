"""The story, end to end, as a person tells it: resolve, train, sample, evaluate, whence, card."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_world import make_world

CARD = """# yaml-language-server: $schema=card.json
spec: 1
model: tiny-v1
intended: To show that the story holds, to whoever runs the tests.
unsuited: Any forecast that somebody acts on.
limits: [It knows five days of a world of waves.]
ethics: It can harm nobody who does not believe it.
"""
PERSISTENCE = """spec: 1
id: persistence
base: tiny-v1
title: Persistence
summary: The last input step, unchanged.
architecture: {name: persistence}
lead: {mode: direct}
training: {kind: none}
scales:
  mini: {}
"""


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, reg_command: list[str], repository: Path
) -> dict[str, Any]:
    """Every step's JSON document, from one run of the story."""
    root = make_world(tmp_path_factory.mktemp("story") / "a lab of its own").root
    shutil.copytree(repository / "cards" / "templates", root / "cards" / "templates")
    (root / "cards" / "tiny-v1.yaml").write_text(CARD)
    (root / "registry" / "models" / "persistence.yaml").write_text(PERSISTENCE)

    def reg(*words: str) -> dict[str, Any]:
        done = subprocess.run(
            [*reg_command, *words, "--json"],
            cwd=root,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"reg {' '.join(words)}: {done.stdout}{done.stderr}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    story: dict[str, Any] = {"root": root, "reg": reg}
    story["resolve"] = reg("resolve", "tiny-v1")
    story["train"] = reg("train", "tiny-v1", "--threads", "1")
    story["sample"] = reg("sample", "tiny-v1")
    forecast = story["sample"]["forecast"]["path"]
    story["evaluate"] = reg("evaluate", forecast, "--baseline", "persistence")
    story["whence"] = reg("whence", forecast)
    story["card"] = reg("card", "tiny-v1")
    return story


def test_the_plan_that_was_resolved_is_the_one_that_ran(told: dict[str, Any]) -> None:
    assert told["resolve"]["digest"] == told["train"]["plan"]
    assert told["train"]["state"] == "finished"


def test_the_forecast_leads_back_to_its_checkpoint(told: dict[str, Any]) -> None:
    whence = told["whence"]
    assert whence["status"] == "verified"
    assert whence["checkpoint"]["sha256"] == told["train"]["checkpoint"]["sha256"]
    assert whence["training_run"]["id"] == told["train"]["run"]
    assert whence["sampling_run"]["id"] == told["sample"]["run"]
    assert whence["differences"] == []


def test_the_scores_are_of_that_forecast_against_persistence(told: dict[str, Any]) -> None:
    rows = [row for row in told["evaluate"]["scores"] if row["metric"] == "rmse"]
    assert {row["variable"] for row in rows} == {"t2m", "refc"}
    assert {row["baseline"] for row in rows} == {None, "persistence"}
    assert all(row["value"] > 0 and row["count"] > 0 for row in rows)


def test_the_card_holds_numbers_of_this_run_only(told: dict[str, Any]) -> None:
    card = (told["root"] / "cards" / "tiny-v1.md").read_text()
    assert told["train"]["checkpoint"]["sha256"][:12] in card
    assert "five days of a world of waves" in card


def test_training_again_finds_the_finished_run(told: dict[str, Any]) -> None:
    again = told["reg"]("train", "tiny-v1", "--threads", "1")
    assert (again["run"], again["reused"]) == (told["train"]["run"], True)


def test_running_the_plan_again_gives_the_same_bits(told: dict[str, Any]) -> None:
    found = told["reg"]("reproduce", told["sample"]["run"])
    assert (found["verdict"], found["difference"]) == ("identical", None)


def test_a_flipped_bit_in_the_forecast_is_found(told: dict[str, Any], tmp_path: Path) -> None:
    root = tmp_path / "lab"
    shutil.copytree(told["root"], root)
    forecast = root / Path(told["sample"]["forecast"]["path"]).relative_to(told["root"])
    import zarr

    field = zarr.open_group(forecast, mode="r+")["t2m"]
    values = field[0, 0, 0]
    values[3, 4] = values[3, 4] + 0.01
    field[0, 0, 0] = values
    done = subprocess.run(
        [str(Path(sys.executable).with_name("reg")), "whence", str(forecast), "--json"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert done.returncode == 5 and found["status"] == "tampered"
    assert "t2m" in json.dumps(found["differences"])
