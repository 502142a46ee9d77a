"""A card says what a person wrote and what runs have shown, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from wxreg.errors import IntegrityError, NotFound
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
