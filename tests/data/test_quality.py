from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from tiny_grib import (
    LEXICON,
    START,
    Message,
    analysis,
    field,
    message_bytes,
    path_of,
    request,
    write_archive,
)

from wxreg.data.masking import masks_of
from wxreg.data.prepare import PreparePlan, prepare
from wxreg.data.quality import quality_findings
from wxreg.data.quality_rules import rule_findings
from wxreg.data.stores import StoredVariable, create_store, open_store
from wxreg.errors import IntegrityError
from wxreg.specs.dataset import QualityRule
from wxreg.specs.licence import Licence


def prepared(tmp_path: Path) -> Path:
    return prepare(PreparePlan(request=request(tmp_path / "raw"), output=tmp_path / "o.zarr")).path


def whats(path: Path) -> str:
    return "\n".join(f"{f.where} {f.what}" for f in quality_findings(path, LEXICON))


def test_a_sound_store_has_only_its_known_sentinels(tmp_path: Path) -> None:
    write_archive(tmp_path / "raw")
    found = quality_findings(prepared(tmp_path), LEXICON)
    assert [f.severity for f in found] == ["info"]
    assert "refc" in found[0].where


def test_gaps_ranges_and_frozen_fields_are_found(tmp_path: Path) -> None:
    write_archive(tmp_path / "raw", absent=(5,))
    run = START + timedelta(hours=2)
    messages = [Message((0, 0, 0), (103, 2), field(1, 280.0)), *analysis(2)[1:]]
    path_of(tmp_path / "raw", run, 0).write_bytes(b"".join(message_bytes(run, m) for m in messages))
    run = START + timedelta(hours=3)
    hot = Message((0, 0, 0), (103, 2), field(3, 380.0))
    path_of(tmp_path / "raw", run, 0).write_bytes(
        b"".join(message_bytes(run, m) for m in [hot, *analysis(3)[1:]])
    )
    found = whats(prepared(tmp_path))
    assert "1 of 6 times are missing: 2023-06-01T05:00" in found
    assert "equal the one before: 2023-06-01T02:00" in found
    assert "120 values" in found


def test_units_that_look_wrong_and_a_licence_that_forbids_commerce_are_told(tmp_path: Path) -> None:
    write_archive(tmp_path / "raw")
    path = prepared(tmp_path)
    group = zarr.open_group(path, mode="r+")
    group["t2m"][...] = group["t2m"][...] - 273.15  # type: ignore[index, operator]
    licence = Licence(id="CC-BY-NC-4.0", name="By, not for profit", commercial=False)
    found = quality_findings(path, LEXICON, licence)
    assert found[0].severity == "error" and "t2m" in found[0].where
    assert found[0].remedy == "the declared units look wrong"
    assert any(one.what == "By, not for profit: no commercial use" for one in found)


def test_dewpoint_above_temperature_and_undeclared_sentinels_are_told(tmp_path: Path) -> None:
    times = np.datetime64("2023-06-01", "ns") + np.arange(3) * np.timedelta64(1, "h")
    names = ("t2m", "d2m")
    stored = tuple(StoredVariable(name, ("time", "y", "x"), (3, 2, 2), {}) for name in names)
    path = tmp_path / "s.zarr"
    group = create_store(path, stored, {"time": xr.Variable("time", times)}, {"wxreg": {}})
    steps = np.arange(3, dtype="f4")[:, None, None] + np.zeros((3, 2, 2), "f4")
    group["t2m"][...], group["d2m"][...] = 290 + steps, 285 + steps  # type: ignore[index]
    group["d2m"][1, 0, 0] = 295.0  # type: ignore[index]
    group["t2m"][2, 1, 1] = -9999.0  # type: ignore[index]
    known = LEXICON["t2m"].model_copy(update={"units": "K", "range": (180, 340)})
    lexicon = {name: known.model_copy(update={"id": name}) for name in names}
    told = {
        (f.severity, f.where.partition(": ")[2]): f.what for f in quality_findings(path, lexicon)
    }
    assert told["error", "t2m"] == "holds what looks like a sentinel: -9999"
    assert told["warning", "d2m"].startswith("above t2m at 2 times: 2023-06-01T01:00")


def test_a_flipped_bit_in_a_store_is_an_error(tmp_path: Path) -> None:
    write_archive(tmp_path / "raw")
    path = prepared(tmp_path)
    shard = path / "t2m" / "c" / "0" / "0" / "0"
    raw = bytearray(shard.read_bytes())
    raw[-3] ^= 1  # the index of the shard carries a checksum
    shard.write_bytes(raw)
    with pytest.raises(IntegrityError, match="damaged"):
        quality_findings(path, LEXICON)


def test_declared_faults_are_told_of_the_stores_that_they_touch(tmp_path: Path) -> None:
    def rule(name: str, kind: str, start: str, end: str, action: str = "warn") -> QualityRule:
        period = {"start": start, "end": end}
        return QualityRule.model_validate_json(
            json.dumps(
                {"variables": [name], "rule": kind, "what": "w", "period": period, "action": action}
            )
        )

    times = np.datetime64("2023-06-01", "ns") + np.arange(24) * np.timedelta64(1, "h")
    stored = (StoredVariable("t2m", ("time", "y", "x"), (24, 2, 2), {}),)
    path = tmp_path / "s.zarr"
    create_store(path, stored, {"time": xr.Variable("time", times)}, {"wxreg": {}})
    crossed = rule("t2m", "regime-change", "2014-01-01T00:00", "2023-06-01T12:00")
    (found,) = rule_findings(path, [crossed])
    assert (found.severity, "border at 2023-06-01T12:00" in found.what) == ("warning", True)
    silent = [
        rule("t2m", "regime-change", "2014-01-01T00:00", "2023-06-02T00:00"),
        rule("t2m", "units", "2014-01-01T00:00", "2021-12-21T12:00", "convert"),
        rule("u10", "frozen", "2014-01-01T00:00", "2030-01-01T00:00", "refuse"),
    ]
    assert rule_findings(path, silent) == []
    loud = rule("t2m", "frozen", "2014-01-01T00:00", "2030-01-01T00:00", "refuse")
    assert [one.severity for one in rule_findings(path, [loud])] == ["error"]


def mask_rule(**more: object) -> QualityRule:
    body = {"variables": ["t2m"], "rule": "range", "what": "w", "action": "mask", **more}
    return QualityRule.model_validate_json(json.dumps(body))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mask_makes_values_missing_and_says_how_many(tmp_path: Path, workers: int) -> None:
    write_archive(tmp_path / "raw")
    plain = open_store(prepared(tmp_path))["t2m"].values
    middle = float(np.median(plain))
    period = {"start": "2023-06-01T01:00", "end": "2023-06-01T04:00"}
    rule = mask_rule(valid=[middle, None], period=period)
    plan = PreparePlan(
        request=request(tmp_path / "raw"),
        output=tmp_path / "masked.zarr",
        masks=masks_of([rule], LEXICON, ["t2m"]),
    )
    path = prepare(plan, workers).path
    gone = plain < middle
    gone[[0, 4, 5]] = False
    assert 0 < gone.sum() < gone.size
    np.testing.assert_array_equal(open_store(path)["t2m"].values, np.where(gone, np.nan, plain))
    assert f"{gone.sum():,} values of the source were made missing" in whats(path)
    assert plan.identity() != replace(plan, masks=()).identity()


def test_without_bounds_of_its_own_a_mask_keeps_the_range_of_the_variable(tmp_path: Path) -> None:
    (mask,) = masks_of([mask_rule()], LEXICON, ["t2m", "refc"])
    assert mask.valid == LEXICON["t2m"].range
    assert masks_of([mask_rule(action="warn")], LEXICON, ["t2m"]) == ()


@pytest.mark.parametrize("wrong", [{"rule": "frozen"}, {"action": "warn", "valid": [0, 1]}])
def test_a_rule_that_cannot_be_masked_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="mask"):
        mask_rule(**wrong)
