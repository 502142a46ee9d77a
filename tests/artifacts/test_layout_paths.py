from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from wxreg.artifacts.layout import Layout, new_run_id, record_beside
from wxreg.errors import UsageError

LAYOUT = Layout(Path("/w"))


def test_a_run_id_tells_kind_time_and_token() -> None:
    now = datetime(2026, 11, 21, 5, 45, 12, tzinfo=timezone(timedelta(hours=2)))
    assert new_run_id("train", now, "a3f9c1ffff") == "train-20261121-034512-a3f9c1"
    assert new_run_id("train", now.astimezone(UTC), "a3f9c1") == "train-20261121-034512-a3f9c1"


def test_everything_of_a_run_lies_in_its_own_place() -> None:
    assert LAYOUT.checkpoint("train-1", "best") == Path(
        "/w/runs/train-1/checkpoints/best.safetensors"
    )
    assert LAYOUT.forecast("sample-1") == Path("/w/forecasts/sample-1.zarr")
    assert LAYOUT.pin("hrrr", "mini-1") == Path("/w/data/hrrr/mini-1.dvc")
    assert LAYOUT.version("hrrr", "mini-1") == Path("/w/data/hrrr/mini-1")
    assert record_beside(Path("/w/a.zarr")) == Path("/w/a.zarr.reg.json")
    assert LAYOUT.relative(Path("/w/data/hrrr")) == "data/hrrr"


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "/etc", "A", "x" * 90, "a\0"])
def test_a_name_cannot_lead_out_of_the_workspace(name: str) -> None:
    for place in (LAYOUT.run, LAYOUT.forecast, lambda n: LAYOUT.pin("hrrr", n), LAYOUT.scores):
        with pytest.raises(UsageError):
            place(name)


def test_sealed_records_and_run_files_are_found(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert list(layout.run_files()) == list(layout.sealed_records()) == []
    layout.run("train-1").mkdir(parents=True)
    layout.run_json("train-1").write_text("{}")
    record = record_beside(layout.forecast("sample-1"))
    record.parent.mkdir()
    record.write_text("{}")
    assert list(layout.run_files()) == [layout.run_json("train-1")]
    assert list(layout.sealed_records()) == [record]
