"""What came from what, and what may be deleted."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

import little_history as little
import pytest

from wxreg.artifacts.digests import tree_digest
from wxreg.audit.audit import audit
from wxreg.audit.gc import Policy, chosen, free, plan_gc
from wxreg.audit.impact import impact, node_of
from wxreg.audit.inventory import Inventory
from wxreg.audit.whence import whence
from wxreg.errors import Conflict, NotFound
from wxreg.ledger.records import RunStart

LATER = datetime(2027, 6, 1, tzinfo=UTC)


def forecast_sha(history: little.History) -> str:
    record = history.forecast.with_name(history.forecast.name + ".reg.json")
    return json.loads(record.read_text())["sha256"]


def inventory(history: little.History) -> Inventory:
    return Inventory.of(history.root, history.ledger, full=False)


def test_everything_downstream_of_data_and_checkpoint(history):
    content = tree_digest(history.data).digest
    kinds = [one.kind for one in impact(history.ledger, content)]
    assert sorted(kinds) == ["checkpoint", "forecast", "sample run", "train run"]
    below = impact(history.ledger, history.checkpoint_sha)
    assert [one.kind for one in below] == ["sample run", "forecast"]
    assert below[1].path == f"forecasts/{little.SAMPLE}.zarr"


def test_an_artifact_may_be_named_in_any_way(history):
    sha = history.checkpoint_sha
    for name in (str(history.checkpoint), sha[:9]):
        assert node_of(history.root, history.ledger, name) == sha
    assert node_of(history.root, history.ledger, little.TRAIN) == little.TRAIN
    content = tree_digest(history.data).digest
    assert node_of(history.root, history.ledger, content) == content
    with pytest.raises(NotFound):
        node_of(history.root, history.ledger, "abcdef")


def test_policy_spares_what_is_young_and_what_others_stand_on(history):
    policy = Policy(("forecast",), timedelta(days=30))
    assert plan_gc(inventory(history), policy, datetime(2026, 11, 22, tzinfo=UTC)) == ()
    (row,) = plan_gc(inventory(history), policy, LATER)
    assert row.stays is None
    (row,) = plan_gc(inventory(history), Policy(("checkpoint",)), LATER)
    assert row.stays is not None and "forecasts/" in row.stays
    rows = plan_gc(inventory(history), Policy(("checkpoint", "forecast")), LATER)
    assert [row.stays for row in rows] == [None, None]


def test_freeing_deletes_bytes_and_leaves_records_that_still_prove_copies(history, tmp_path):
    copy = tmp_path / "copy.zarr"
    subprocess.run(["cp", "-r", str(history.forecast), str(copy)], check=True)
    rows = plan_gc(inventory(history), Policy(), LATER)
    assert free(history.root, history.ledger, rows) == rows[0].bytes
    assert not history.forecast.exists()
    assert whence(copy, history.here).status == "verified"
    assert audit(history.root, history.ledger, "full").whole
    assert plan_gc(inventory(history), Policy(), LATER) == ()


@pytest.mark.parametrize("how", ["published", "kept"])
def test_an_ancestor_of_something_kept_or_published_is_refused_with_the_chain(history, how):
    if how == "published":
        inputs = {forecast_sha(history): "forecast"}
        history.ledger.begin(RunStart("publish-1", "publish", inputs=inputs))
    else:
        pin = history.root / "data" / "checkpoints" / f"{little.TRAIN}.dvc"
        pin.parent.mkdir()
        pin.write_text("outs: []")
    with pytest.raises(Conflict) as refused:
        chosen(inventory(history), [history.checkpoint_sha])
    assert refused.value.code == "REG-670"
    if how == "published":
        assert f"{little.SAMPLE}" in str(refused.value) and "→" in str(refused.value)
    rows = plan_gc(inventory(history), Policy(("checkpoint", "forecast")), LATER)
    stays = {row.kind: row.stays for row in rows}
    assert stays["checkpoint"] and bool(stays["forecast"]) is (how == "published")


def test_the_command_only_tells_unless_it_is_told_to_delete(history, reg_command):
    def reg(*words):
        command = [*reg_command, *words, "--json"]
        done = subprocess.run(command, cwd=history.root, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    told = reg("gc", "--older-than", "0")
    assert len(told["rows"]) == 1 and history.forecast.exists()
    assert len(reg("impact", little.TRAIN)["rows"]) == 3
    reg("gc", "--older-than", "0", "--delete")
    assert not history.forecast.exists() and history.checkpoint.exists()
