"""What `reg audit` finds: each fault of a workspace, at the level that can see it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import little_history as little
import numpy as np
import pytest

from wxreg.artifacts.layout import Layout
from wxreg.audit.audit import audit
from wxreg.audit.check_versions import dvc_address
from wxreg.ledger import queries
from wxreg.ledger.records import RunStart
from wxreg.ledger.store import Ledger

sys.path.insert(0, str(Path(__file__).parents[1] / "publish"))

from small_lab import train

from small_workspace import make_workspace


def codes(history: little.History, level: str) -> set[str]:
    result = audit(history.root, history.ledger, level)
    assert result.whole is not any(
        one.severity == "error" and one.code[4] == "5" for one in result.findings
    )
    assert all(one.remedy and one.where and one.what for one in result.findings)
    return {one.code for one in result.findings if one.severity == "error"}


def sql(history: little.History, statement: str) -> None:
    with sqlite3.connect(history.root / ".reg" / "ledger.db") as database:
        database.execute(statement)
    database.close()


@pytest.mark.parametrize("level", ["quick", "full"])
def test_a_sound_workspace_has_no_error(history, level):
    result = audit(history.root, history.ledger, level)
    assert result.whole and codes(history, level) == set()
    assert result.checked["artifacts"] == 2 and result.checked["runs"] == 2


def truncated_checkpoint(history):
    history.checkpoint.write_bytes(history.checkpoint.read_bytes()[:-1])


def hidden_flip(history):
    stat = history.checkpoint.stat()
    content = bytearray(history.checkpoint.read_bytes())
    content[-3] ^= 1
    history.checkpoint.write_bytes(content)
    os.utime(history.checkpoint, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def flip_in_forecast(history):
    chunk = history.forecast / "t2m" / "c" / "1" / "0" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[10] ^= 1
    chunk.write_bytes(content)


def edited_record(history):
    place = history.checkpoint.with_name("best.safetensors.reg.json")
    place.write_text(json.dumps({**json.loads(place.read_text()), "sha256": "7" * 64}))


def edited_plan(history):
    place = Layout(history.root).plan_json(little.TRAIN)
    place.write_text(place.read_text().replace('"seed": 0', '"seed": 1'))


def edited_plan_in_the_ledger(history):
    sql(history, "UPDATE documents SET text = replace(text, '\"seed\": 0', '\"seed\": 7')")


def edited_event(history):
    sql(history, "UPDATE events SET body = replace(body, '0.1.0', '0.2.0') WHERE sequence = 1")


def removed_event(history):
    sql(history, "DELETE FROM events WHERE sequence = 2")


def lost_tail(history):
    sql(history, "DELETE FROM events WHERE sequence > 3")


def circle(history):
    sha = history.checkpoint_sha
    sql(history, f"INSERT INTO edges VALUES ('{sha}', '{little.SAMPLE}', 'inputs')")


def no_maker(history):
    sql(history, f"DELETE FROM edges WHERE child = '{history.checkpoint_sha}'")


def unknown_checkpoint(history):
    start = RunStart("sample-x", "sample", inputs={"9" * 64: "checkpoint"})
    history.ledger.begin(start)


FAULTS = [
    (truncated_checkpoint, "quick", {"REG-500"}),
    (hidden_flip, "full", {"REG-500"}),
    (flip_in_forecast, "full", {"REG-500"}),
    (edited_record, "full", {"REG-500"}),
    (edited_plan, "full", {"REG-571"}),
    (edited_plan_in_the_ledger, "full", {"REG-571", "REG-521"}),
    (edited_event, "full", {"REG-520", "REG-521"}),
    (removed_event, "quick", {"REG-520"}),
    (lost_tail, "full", {"REG-521", "REG-522"}),
    (circle, "quick", {"REG-570"}),
    (no_maker, "quick", {"REG-570"}),
    (unknown_checkpoint, "quick", {"REG-570"}),
]


@pytest.mark.parametrize(
    "damage, level, expected", FAULTS, ids=lambda v: getattr(v, "__name__", "")
)
def test_each_fault_is_found(history, damage, level, expected):
    damage(history)
    assert expected <= codes(history, level)


def test_quick_says_nothing_of_what_it_cannot_see(history):
    hidden_flip(history)
    assert codes(history, "quick") == set()


def test_a_flipped_chunk_is_named_by_its_field(history):
    flip_in_forecast(history)
    found = audit(history.root, history.ledger, "full").findings
    assert any("t2m init" in one.what for one in found)


def test_what_has_no_record_and_what_is_gone_are_warnings(history):
    shutil.copy(history.checkpoint, history.checkpoint.with_name("stray.safetensors"))
    shutil.rmtree(history.forecast)
    result = audit(history.root, history.ledger)
    found = {(one.code, Path(one.where).name, one.severity) for one in result.findings}
    assert ("REG-371", "stray.safetensors", "warning") in found
    assert ("REG-370", history.forecast.name, "warning") in found
    assert result.whole


def test_provisional_data_behind_a_published_result(history):
    run = "sample-20261121-030303-cccccc"
    side = little.side_of(history)
    side["about"] = {**side["about"], "provisional": ["2023-06-01T00:00/2023-06-02T00:00"]}
    path = little.sampled(history.root, history.ledger, run, history.checkpoint_sha, side, seed=4)
    assert not any(one.code == "REG-470" for one in audit(history.root, history.ledger).findings)
    sha = json.loads(path.with_name(path.name + ".reg.json").read_text())["sha256"]
    history.ledger.begin(RunStart("publish-1", "publish", inputs={sha: "forecast"}))
    found = [one for one in audit(history.root, history.ledger).findings if one.code == "REG-470"]
    assert found and "provisional" in found[0].what


def test_the_address_of_a_folder_is_the_one_dvc_gives_it(repository):
    folder = repository / "data" / "hrrr" / "mini-1"
    if not folder.is_dir():
        pytest.skip("hrrr@mini-1 is not here; `reg pull hrrr@mini-1` fetches it")
    pin = folder.with_name("mini-1.dvc").read_text()
    assert f"md5: {dvc_address(folder)}" in pin


def test_pins_licences_and_versions_of_a_real_catalog(history, repository):
    """The true catalog, with a pin that was moved and data that are non-commercial."""
    root = history.root
    for folder in ("catalog", "registry"):
        shutil.copytree(repository / folder, root / folder, dirs_exist_ok=True)
    pin = root / "data" / "hrrr" / "mini-1.dvc"
    pin.parent.mkdir(parents=True)
    text = (repository / "data" / "hrrr" / "mini-1.dvc").read_text()
    pin.write_text(text)
    assert codes(history, "quick") == set()
    pin.write_text(text.replace("nfiles: 1862", "nfiles: 1861"))
    assert codes(history, "quick") == {"REG-580"}
    pin.unlink()
    entry = root / "catalog" / "hrrr" / "versions" / "mini-1.yaml"
    assert "commercial: true" in entry.read_text()
    entry.write_text(entry.read_text().replace("commercial: true", "commercial: false"))
    details = {"model": "unet-hrrr-v1", "data": "hrrr@mini-1"}
    history.ledger.begin(RunStart("train-x", "train", details=details, inputs={"8" * 64: "inputs"}))
    result = audit(root, history.ledger)
    assert [one.where for one in result.findings if one.code == "REG-471"] == ["unet-hrrr-v1"]
    assert result.whole  # a licence is no matter of integrity


def lock(history: little.History, outs: str) -> None:
    (history.root / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  train:\n    outs:\n{outs}")


def test_a_locked_output_that_no_run_produced_is_named(history):
    """Answers of commands name their run, and what lies where only runs write has a record."""
    answer = history.root / "pipeline" / "train.json"
    answer.parent.mkdir()
    answer.write_text(json.dumps({"run": little.TRAIN}))
    md5 = hashlib.md5(answer.read_bytes()).hexdigest()
    size = answer.stat().st_size
    row = f"    - {{path: pipeline/train.json, md5: {md5}, size: {size}}}\n"
    lock(history, row + f"    - {{path: runs/{little.TRAIN}/checkpoints/best.safetensors}}\n")
    lock(history, row)
    assert codes(history, "full") == set()
    answer.write_text(json.dumps({"run": "train-20200101-000000-aaaaaa"})[: size - 1] + " ")
    lock(history, row + "    - {path: forecasts/mine.zarr, md5: a.dir, size: 3}\n")
    found = {(one.code, one.where) for one in audit(history.root, history.ledger, "full").findings}
    assert ("REG-570", "pipeline/train.json") in found
    assert ("REG-570", "forecasts/mine.zarr") in found
    assert ("REG-372", "pipeline/train.json") in found
    (history.root / "dvc.lock").write_text("stages: [")
    assert any(one.code == "REG-372" for one in audit(history.root, history.ledger).findings)


def test_an_audit_without_a_ledger_says_how_to_rebuild_it(history, reg_command):
    (history.root / ".reg" / "ledger.db").rename(history.root / "away.db")
    command = [*reg_command, "audit", "--json"]
    done = subprocess.run(command, cwd=history.root, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "reg log rebuild" in done.stdout
    assert not (history.root / ".reg" / "ledger.db").exists()


def test_an_audit_with_the_ledger_of_another_workspace_says_so(history, tmp_path):
    other = little.make(tmp_path / "other")
    shutil.rmtree(other.root / "forecasts")
    (history.root / "forecasts" / "mine.zarr").mkdir()
    result = audit(history.root, other.ledger)
    other.ledger.close()
    found = {(one.code, one.where) for one in result.findings}
    assert ("REG-371", "forecasts/mine.zarr") in found


def test_todays_files_giving_another_plan_is_information_only(tmp_path):
    """The entry was changed after the training: the run stands for its stored plan."""
    root = make_workspace(tmp_path / "lab")
    with Ledger(root / ".reg" / "ledger.db") as ledger:
        train(root, ledger, "train-20261121-010101-aaaaaa", np.ones(40, dtype="f4"))

        def told() -> list:
            return [one for one in audit(root, ledger, "full").findings if one.code == "REG-373"]

        assert told() == []
        entry = root / "registry" / "models" / "parent-v1.yaml"
        entry.write_text(entry.read_text().replace("batch: ", "batch: 1"))
        (found,) = told()
        assert found.severity == "info" and "batch" in found.what


@pytest.mark.parametrize("how", ["model", "initial"])
def test_weights_whose_licence_forbids_what_a_model_offers(tmp_path, how):
    """A permissive model that continues non-commercial weights, of our own or of others."""
    root = make_workspace(tmp_path / "lab")
    entries = root / "registry" / "models"
    with Ledger(root / ".reg" / "ledger.db") as ledger:
        train(root, ledger, "train-20261121-010101-aaaaaa", np.ones(40, dtype="f4"))
        (parent,) = queries.runs(ledger)
        child = (entries / "parent-v1.yaml").read_text().replace("id: parent-v1", "id: free-v1")
        (entries / "free-v1.yaml").write_text(child)
        words = {"licence": "CC-BY-NC-4.0"} if how == "initial" else {}
        plan = json.dumps({"training": {"initial": words}})
        inputs = {parent.outcome["checkpoint"]: "initial"}
        details = {"model": "free-v1"}
        start = RunStart("train-free", "train", details=details, inputs=inputs,
                         documents={"plan": plan})  # fmt: skip
        ledger.begin(start)
        if how == "model":
            text = (entries / "parent-v1.yaml").read_text()
            changed = text.replace("commercial: true", "commercial: false")
            (entries / "parent-v1.yaml").write_text(changed)
        found = [one for one in audit(root, ledger).findings if one.code == "REG-471"]
        assert [one.where for one in found] == ["free-v1"]
        assert "non-commercial" in found[0].what
