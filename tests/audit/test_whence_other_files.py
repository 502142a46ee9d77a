"""Checkpoints, statistics, sealed files, and the ancestors behind them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import little_history as little
import pytest

from wxreg.artifacts.sealing import Seal, seal
from wxreg.audit.whence import whence
from wxreg.audit.workplace import Workplace
from wxreg.ledger.records import RunStart
from wxreg.ledger.store import Ledger
from wxreg.ledger.verify import verify


def flip(path: Path, at: int = -3) -> None:
    """One bit of a file, its size and time as before."""
    stat = path.stat()
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_checkpoint_is_known_by_its_bytes_wherever_it_lies(history, tmp_path):
    copy = tmp_path / "renamed.safetensors"
    shutil.copy(history.checkpoint, copy)
    for path in (history.checkpoint, copy):
        answer = whence(path, history.here)
        assert answer.status == "verified"
        assert answer.chain["training_run"]["id"] == little.TRAIN
        assert answer.chain["data"][0]["dataset"] == "toy@one"
    alone = whence(copy, Workplace())
    assert alone.status == "claimed" and alone.chain["data"][0]["dataset"] == "toy@one"


@pytest.mark.parametrize("moved", [False, True])
def test_a_flipped_bit_in_a_checkpoint_is_found_in_its_tensor(history, tmp_path, moved):
    path = history.checkpoint
    whole = tmp_path / "whole.safetensors"
    shutil.copy(path, whole)
    if moved:
        path = tmp_path / "copy.safetensors"
        shutil.copy(whole, path)
    flip(path)
    answer = whence(path, history.here)
    assert answer.status == "tampered"
    assert answer.chain["training_run"]["id"] == little.TRAIN
    if moved:  # the original is here to compare with
        assert [d.place for d in answer.differences if d.kind == "tensor"] == ["layer3.weight"]


def test_offline_the_record_beside_a_checkpoint_finds_the_flip(history):
    flip(history.checkpoint)
    assert whence(history.checkpoint, Workplace()).status == "tampered"


def test_a_checkpoint_that_cannot_be_parsed_is_tampered(history):
    history.checkpoint.write_bytes(history.checkpoint.read_bytes()[:100])
    answer = whence(history.checkpoint, history.here)
    assert answer.status == "tampered" and answer.differences[0].kind == "bytes"


def test_statistics_are_known_by_their_numbers(history):
    answer = whence(history.statistics, history.here)
    assert answer.status == "verified" and answer.subject["used_by"] == [little.TRAIN]
    text = history.statistics.read_text()
    history.statistics.write_text(text.replace("mean: 1.5", "mean: 1.6", 1))
    answer = whence(history.statistics, history.here)
    assert answer.status == "tampered" and "-20261121-" in answer.differences[0].what
    history.statistics.write_text("[unclosed")
    assert whence(history.statistics, history.here).status == "tampered"


def changed_statistics(history):
    text = history.statistics.read_text()
    history.statistics.write_text(text.replace("mean: 1.5", "mean: 1.6", 1))
    return "statistics"


def changed_data(history):
    (history.data / "day-2.nc").write_bytes(b"other weather")
    return "data"


def changed_checkpoint(history):
    history.checkpoint.write_bytes(history.checkpoint.read_bytes() + b"x")
    return "checkpoint"


@pytest.mark.parametrize("damage", [changed_statistics, changed_data, changed_checkpoint])
def test_a_damaged_ancestor_is_named_in_the_chain_of_its_forecast(history, damage):
    word = damage(history)
    answer = whence(history.forecast, history.here)
    assert answer.status == "tampered"
    (found,) = answer.differences
    assert found.kind == "ancestor" and found.what.startswith(word)


def test_a_flip_that_keeps_size_and_time_is_found_only_deep_and_the_answer_says_so(history):
    flip(history.checkpoint)
    quick = whence(history.forecast, history.here)
    assert quick.status == "verified"
    assert {one["how"] for one in quick.subject["checked"]} >= {"size and time"}
    assert any("--deep" in note for note in quick.subject["notes"])
    deep = whence(history.forecast, history.here, deep=True)
    assert deep.status == "tampered" and "checkpoint" in deep.differences[0].what
    assert {one["how"] for one in deep.subject["checked"]} == {"bytes"}


def test_a_sealed_score_table_leads_to_its_checkpoint(history):
    table = history.root / "scores" / "evaluate-1" / "table.json"
    table.parent.mkdir(parents=True)
    table.write_text('{"rmse": 1.5}')
    sha = whence(history.forecast, history.here).subject["sha256"]
    little.register(history.ledger, history.root, table, "scores", None, sources={sha: "forecast"})
    answer = whence(table, history.here)
    assert answer.status == "verified" and answer.subject["kind"] == "scores"
    assert answer.chain["checkpoint"]["sha256"] == history.checkpoint_sha
    table.write_text('{"rmse": 0.5}')
    assert whence(table, history.here).status == "tampered"
    assert whence(table, Workplace()).status == "tampered"


def test_a_file_without_record_or_ledger_is_unknown(history, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert whence(path, history.here).status == "unknown"
    seal(path, Seal("notes", "0" * 64, 5, "now", None, (0, "0" * 64)))
    assert whence(path, history.here).status == "tampered"


def test_a_clock_that_was_set_back_does_not_hide_anything(tmp_path):
    times = iter(datetime(2026, 11, 21, tzinfo=UTC) - timedelta(hours=n) for n in range(99))
    history = little.make(tmp_path / "space", clock=lambda: next(times))
    assert whence(history.forecast, history.here).status == "verified"
    findings = verify(history.ledger).findings
    assert findings and {found.code for found in findings} == {"REG-524"}


def reg(reg_command, *words, cwd):
    done = subprocess.run(
        [*reg_command, *map(str, words)], capture_output=True, text=True, cwd=cwd, check=False
    )
    return done.returncode, done.stdout


def test_the_command_exits_5_when_tampered_and_works_outside_a_workspace(
    history, tmp_path, reg_command
):
    code, text = reg(reg_command, "whence", history.forecast, "--json", cwd=history.root)
    assert code == 0 and json.loads(text)["status"] == "verified"
    outside = tmp_path / "outside"
    outside.mkdir()
    code, text = reg(reg_command, "whence", history.forecast, "--json", cwd=outside)
    assert code == 0 and json.loads(text)["status"] == "claimed"
    flip(history.checkpoint)
    code, text = reg(reg_command, "whence", history.checkpoint.parent, cwd=history.root)
    assert code == 5 and "tampered" in text


def git(history, *words):
    subprocess.run(["git", "-C", str(history.root), *words], check=True, capture_output=True)


def test_statistics_that_a_person_replaced_in_git_accuse_nobody(history):
    git(history, "init", "-q")
    git(history, "add", "catalog")
    git(history, "commit", "-qm", "first")
    changed_statistics(history)
    assert whence(history.forecast, history.here).status == "tampered"
    git(history, "commit", "-qam", "computed anew")
    answer = whence(history.forecast, history.here)
    assert answer.status == "verified"
    assert any("replaced by a commit" in (one["what"] or "") for one in answer.subject["checked"])
    assert whence(history.statistics, history.here).status == "claimed"


def test_a_table_inside_a_sealed_folder_and_its_copy(history, tmp_path):
    folder = history.root / "scores" / "evaluate-1"
    folder.mkdir(parents=True)
    history.ledger.begin(RunStart("evaluate-1", "evaluate"))
    (folder / "scores.json").write_text('{"run": "evaluate-1", "rmse": 1.5}')
    sha = whence(history.forecast, history.here).subject["sha256"]
    sources = {sha: "forecast"}
    little.register(history.ledger, history.root, folder, "scores", "evaluate-1", sources=sources)
    copy = tmp_path / "scores.json"
    shutil.copy(folder / "scores.json", copy)
    for path in (folder / "scores.json", copy):
        answer = whence(path, history.here)
        assert answer.status == "verified"
        assert answer.chain["checkpoint"]["sha256"] == history.checkpoint_sha
    copy.write_text('{"run": "evaluate-1", "rmse": 0.5}')
    assert whence(copy, history.here).status == "unknown"


def test_a_ledger_rebuilt_from_the_records_proves_as_before(history, reg_command, tmp_path):
    history.ledger.close()
    for file in (history.root / ".reg").glob("ledger.db*"):
        file.unlink()
    code, _ = reg(reg_command, "log", "rebuild", cwd=history.root)
    assert code == 0
    copy = tmp_path / "copy.zarr"
    shutil.copytree(history.forecast, copy)
    bare = json.loads((copy / "zarr.json").read_text())
    bare["attributes"] = {}
    (copy / "zarr.json").write_text(json.dumps(bare))
    here = Workplace(history.root, Ledger(history.root / ".reg" / "ledger.db"))
    answer = whence(copy, here)
    assert answer.status == "verified"
    assert answer.chain["checkpoint"]["sha256"] == history.checkpoint_sha
