"""A card says what a person wrote and what runs have shown, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from wxreg.artifacts.digests import tree_digest
from wxreg.artifacts.layout import Layout
from wxreg.errors import IntegrityError, NotFound
from wxreg.ledger.records import ArtifactRecord, RunStart
from wxreg.publish.card import render_card
from wxreg.publish.evidence import gather
from wxreg.publish.loading import LOADING_LINES
from wxreg.publish.release import build_release


def test_a_card_shows_records_and_says_what_is_missing(lab):
    text = render_card(lab.library, lab.ledger, lab.evidence)
    header = yaml.safe_load(text.split("---")[1])
    assert header["license"] == "apache-2.0"
    assert "model-index" not in header  # nothing was evaluated
    assert lab.evidence.sha256 in text
    assert "0.125 at step 7" in text
    assert "there are no\nscores to show" in text
    assert "| It works. | It does not. |" in text


def test_no_card_without_a_finished_run_or_a_persons_words(lab):
    with pytest.raises(NotFound):
        gather(lab.library, lab.ledger, "child-v1")
    (lab.root / "cards" / "parent-v1.yaml").unlink()
    with pytest.raises(NotFound):
        render_card(lab.library, lab.ledger, lab.evidence)


def test_a_changed_checkpoint_has_no_card(lab):
    path = lab.evidence.checkpoint
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        gather(lab.library, lab.ledger, "parent-v1")


def test_the_lines_on_the_card_read_a_release_without_wxreg(lab, tmp_path):
    folder = tmp_path / "release"
    build_release(lab.library, lab.ledger, lab.evidence, folder)
    assert LOADING_LINES in (folder / "README.md").read_text()
    done = subprocess.run(
        [sys.executable, "-c", LOADING_LINES], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "1 tensors" in done.stdout


def evaluate(lab, value: float):
    """A sampling and an evaluation of its forecast, as the ledger keeps them."""
    forecast, run = "f" * 64, "evaluate-20261121-030303-cccccc"
    sampling = "sample-20261121-020202-bbbbbb"
    lab.ledger.begin(RunStart(sampling, "sample", inputs={lab.evidence.sha256: "checkpoint"}))
    lab.ledger.running(sampling)
    now = "2026-11-21T00:00:00+00:00"
    lab.ledger.register(ArtifactRecord(forecast, "forecast", "forecasts/x.zarr", 1, now, sampling))
    lab.ledger.end(sampling, "finished")
    row = {"metric": "rmse", "variable": "t2m", "level": None, "lead": "1h", "threshold": None,
           "scale": None, "bin": "all", "value": value, "low": 1.0, "high": 1.5, "count": 64,
           "members": 1, "baseline": None, "skill": None}  # fmt: skip
    against = {**row, "baseline": "persistence", "skill": -0.25, "low": -0.5, "high": -0.125}
    body = {"protocol": "simple", "protocol_digest": "a" * 64, "truth": "alpha@one", "members": 1,
            "pairs": 4, "inits": 4, "leads": ["1h"], "forecast": {"digest": forecast}, "notes": [],
            "scores": [row, against]}  # fmt: skip
    folder = Layout(lab.root).scores(run)
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text(json.dumps(body))
    lab.ledger.begin(RunStart(run, "evaluate", inputs={forecast: "forecast"}))
    lab.ledger.running(run)
    lab.ledger.end(run, "finished", {"scores": tree_digest(folder).digest})
    return folder / "scores.json"


def test_scores_stand_with_interval_protocol_and_skill_and_in_the_model_index(lab):
    evaluate(lab, 1.2345)
    text = render_card(lab.library, lab.ledger, lab.evidence)
    assert "| t2m | 1.234 (1 to 1.5) |" in text or "| t2m | 1.235 (1 to 1.5) |" in text
    assert "| t2m | -0.25 (-0.5 to -0.125) |" in text
    assert "a" * 64 in text
    (found,) = yaml.safe_load(text.split("---")[1])["model-index"]
    (result,) = found["results"]
    assert result["metrics"][0]["value"] == 1.2345
    assert result["dataset"]["name"] == "alpha@one"


def test_a_score_that_was_edited_is_refused(lab):
    file = evaluate(lab, 1.2345)
    file.write_text(file.read_text().replace("1.2345", "0.1111"))
    with pytest.raises(IntegrityError):
        gather(lab.library, lab.ledger, "parent-v1")
