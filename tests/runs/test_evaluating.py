"""Scoring has known answers, merges in parts, and refuses bad input with every reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from score_worlds import HOUR, LEXICON, START, forecast_store, protocol, scoring, truth_store

from data.tiny_stores import hours, write_store
from wxreg.errors import Conflict, Incompatible, IntegrityError
from wxreg.runs.evaluating import kept as evaluating_kept
from wxreg.runs.evaluating.baselines import StoredBaseline
from wxreg.runs.evaluating.checks import Sides, check_evaluation
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.evaluating.streams import Streams
from wxreg.runs.evaluating.tally import Tally
from wxreg.runs.evaluating.tallying import tallied
from wxreg.runs.evaluating.units import Unit, scored
from wxreg.runs.scoring.files import (
    ScoresFile,
    merged_states,
    read_scores,
    read_states,
    table_json,
    write_scores,
    write_states,
)
from wxreg.runs.scoring.keys import MODEL, StateKey, hour_bin, season_bin
from wxreg.runs.scoring.listing import require_alike
from wxreg.runs.scoring.rows import Table, rows_of, skill_draws
from wxreg.runs.scoring.series import Draws
from wxreg.runs.scoring.states import field_states
from wxreg.runs.scoring.statistics import Domain
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.catalogue import METRICS
from wxreg.scores.metrics import finish
from wxreg.scores.states import merge_all
from wxreg.specs.protocol import Bootstrap
from wxreg.specs.variables import Variable


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return truth_store(tmp_path_factory.mktemp("truth") / "truth.zarr")


def evaluated(forecast: Path, truth: Path, **changes: object) -> tuple[ForecastFields, Table]:
    opened, wanted = ForecastFields(forecast), protocol(**changes)
    check_evaluation(Sides(opened, truth), wanted, LEXICON)
    score = scoring(opened, wanted)
    tally = tallied(Streams(score, opened, TruthFields(truth, ("t2m", "refc"))))
    return opened, rows_of(score, tally.states, {MODEL: opened.members}, opened.leads)


def value(table: Table, **where: object) -> float | None:
    found = [row for row in table.scores if all(getattr(row, k) == v for k, v in where.items())]
    assert len(found) == 1, (where, len(found))
    return found[0].value


def test_a_constant_error_has_known_scores(truth: Path, tmp_path: Path) -> None:
    path = forecast_store(tmp_path / "f.zarr", truth, errors=(2.0,))
    _, table = evaluated(path, truth)
    for lead in ("1h", "3h", None):
        for name in ("rmse", "bias"):
            found = value(table, metric=name, variable="t2m", lead=lead, bin="all")
            assert found == pytest.approx(2.0, abs=1e-3)
    row = next(row for row in table.scores if row.metric == "rmse" and row.lead == "1h")
    assert row.count == 5 * 96
    assert row.low == pytest.approx(2.0, abs=1e-3) == row.high


def test_members_are_scored_each_and_together(truth: Path, tmp_path: Path) -> None:
    """Errors of -1 and 3: single members 5**.5, the mean 1; fair CRPS 2 - 4/2 = 0."""
    path = forecast_store(tmp_path / "f.zarr", truth, errors=(-1.0, 3.0))
    metrics = [{"id": one} for one in ("rmse", "ensemble_rmse", "crps", "crps_ensemble")]
    _, table = evaluated(path, truth, metrics=metrics)
    expected = {"rmse": 5**0.5, "ensemble_rmse": 1.0, "crps": 0.0, "crps_ensemble": 1.0}
    for name, known in expected.items():
        found = value(table, metric=name, variable="refc", lead="1h", bin="all")
        assert found == pytest.approx(known, abs=2e-3)


def test_one_member_leaves_out_what_needs_an_ensemble(truth: Path, tmp_path: Path) -> None:
    _, table = evaluated(forecast_store(tmp_path / "f.zarr", truth), truth)
    assert {row.metric for row in table.scores} == {"rmse", "bias"}


def test_bins_of_masks_share_the_cells_between_them(truth: Path, tmp_path: Path) -> None:
    path = forecast_store(tmp_path / "f.zarr", truth)
    mask = {"name": "warm", "where": "t2m > 12000"}
    _, table = evaluated(path, truth, masks=[mask], metrics=[{"id": "mae"}])
    counts = {
        row.bin: row.count for row in table.scores if row.lead == "1h" and row.variable == "t2m"
    }
    assert counts["warm"] > 0
    assert counts["warm"] + counts["not-warm"] == counts["all"] == 480


def test_thresholds_convert_to_the_units_of_the_variable(truth: Path, tmp_path: Path) -> None:
    path = forecast_store(tmp_path / "f.zarr", truth, errors=(0.0,))
    threshold = {"variable": "t2m", "values": [0.0], "units": "degC"}
    _, table = evaluated(path, truth, metrics=[{"id": "csi"}], thresholds=[threshold])
    row = next(row for row in table.scores if row.metric == "csi")
    assert row.threshold == pytest.approx(273.15, abs=1e-3)
    assert row.value == 1.0


def test_a_wind_is_scored_by_the_length_of_its_error() -> None:
    lexicon = {
        name: Variable(id=name, long_name=name, units="m s-1", vector=axis, partner=other)
        for name, axis, other in (("u10", "x", "v10"), ("v10", "y", "u10"))
    }
    place = np.zeros((4, 5))
    score = Scoring(
        protocol(variables=("u10", "v10"), metrics=[{"id": "vector_rmse"}]),
        ("u10", "v10"), Domain(3.0, 3.0), lexicon, place, place,
    )  # fmt: skip
    errors = {"u10": 3.0, "v10": 4.0}
    found = list(
        field_states(score, lambda name: np.full((2, 4, 5), errors[name], "f4"),
                     lambda name: np.zeros((4, 5), "f4"))
    )  # fmt: skip
    assert [(statistic, name) for statistic, name, _ in found] == [("vector", "u10")]
    assert finish("vector_rmse", found[0][2]) == pytest.approx(5.0)


def test_two_halves_merge_to_the_whole(truth: Path, tmp_path: Path) -> None:
    path = forecast_store(tmp_path / "f.zarr", truth, errors=(-1.0, 0.5, 2.0))
    opened = ForecastFields(path)
    wanted = protocol(
        metrics=[{"id": "rmse"}, {"id": "crps"}, {"id": "fss", "windows": [1, 3]}, {"id": "psd"}],
        thresholds=[{"variable": "refc", "values": [20000.0], "units": "dBZ"}],
    )
    score, fields = scoring(opened, wanted), TruthFields(truth, ("t2m", "refc"))
    at_once = tallied(Streams(score, opened, fields)).states
    parts = [tallied(Streams(score, opened, fields), some).states for some in ([3, 0], [4, 1, 2])]
    write_states(tmp_path / "half.zarr", parts[0])
    merged = merged_states([parts[1], read_states(tmp_path / "half.zarr")])
    assert merged.keys() == at_once.keys()
    for key, state in at_once.items():
        for name in state.arrays:
            np.testing.assert_allclose(merged[key][name], state[name], rtol=1e-10)
    members = {MODEL: opened.members}
    for one, two in zip(
        rows_of(score, at_once, members, opened.leads).scores,
        rows_of(score, merged, members, opened.leads).scores,
        strict=True,
    ):
        assert one.value == pytest.approx(two.value, rel=1e-9)


def test_another_forecast_is_a_baseline_where_it_has_the_init(truth: Path, tmp_path: Path) -> None:
    """Errors of 1 against errors of 2 are a skill of a half; one init is not in both."""
    opened = ForecastFields(forecast_store(tmp_path / "mine.zarr", truth, errors=(1.0,)))
    other = forecast_store(tmp_path / "other.zarr", truth, errors=(2.0, 2.0), inits=(0, 12, 24, 36))
    beside = StoredBaseline(ForecastFields(other), opened.leads)
    wanted = protocol(metrics=[{"id": "rmse"}, {"id": "crps_ensemble"}])
    score = scoring(opened, wanted)
    tally = tallied(Streams(score, opened, TruthFields(truth, ("t2m", "refc")), [beside]))
    assert tally.without_baseline == {"other": 1}
    assert tally.pairs == 4 * 2
    table = rows_of(score, tally.states, {MODEL: 1, "other": 2}, opened.leads)
    skills = [row for row in table.scores if row.baseline == "other" and row.bin == "all"]
    assert len(skills) == 2 * 2 * 3
    for row in skills:
        assert row.skill == pytest.approx(0.5, abs=2e-3)
        assert row.low == pytest.approx(0.5, abs=2e-3) == row.high
    assert all(one.p_value is not None and one.p_value < 0.1 for one in table.comparisons)


def test_a_baseline_of_one_member_has_its_error_for_the_crps(truth: Path, tmp_path: Path) -> None:
    opened = ForecastFields(forecast_store(tmp_path / "mine.zarr", truth, errors=(0.0, 1.0)))
    other = forecast_store(tmp_path / "other.zarr", truth, errors=(2.0,))
    beside = StoredBaseline(ForecastFields(other), opened.leads)
    score = scoring(opened, protocol(metrics=[{"id": "crps"}]))
    tally = tallied(Streams(score, opened, TruthFields(truth, ("t2m", "refc")), [beside]))
    table = rows_of(score, tally.states, {MODEL: 2, "other": 1}, opened.leads)
    own = [row.value for row in table.baselines["other"]]
    assert own == pytest.approx([2.0] * len(own), abs=2e-3)


def same_bits(one: Tally, two: Tally) -> None:
    assert one.states.keys() == two.states.keys()
    for key, state in one.states.items():
        for name, values in state.arrays.items():
            np.testing.assert_array_equal(two.states[key][name], values, f"{key} {name}")
    assert replace(one, states={}) == replace(two, states={})


@pytest.mark.parametrize("every", [64, 2])
def test_an_evaluation_goes_on_where_it_was_stopped(
    truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """Stopped after each part, it reads none of them again and comes to the same bits."""
    monkeypatch.setattr(evaluating_kept, "_EVERY", every)
    opened = ForecastFields(forecast_store(tmp_path / "f.zarr", truth, errors=(0.3, -1.1)))
    streams = Streams(scoring(opened, protocol()), opened, TruthFields(truth, ("t2m", "refc")))
    whole = tallied(streams)
    asked: list[int | None] = []

    def one_part(units: Sequence[Unit]) -> Iterator[Tally]:
        asked.append(units[0].init)
        yield scored(streams, units[0])
        if len(units) > 1:
            raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            tallied(streams, keep=tmp_path / "kept", workers=one_part)
    resumed = tallied(streams, keep=tmp_path / "kept", workers=one_part)
    assert asked == [0, 1, 2, 3, 4]
    assert resumed.pairs == 10
    same_bits(whole, resumed)


def test_damage_to_what_was_kept_is_told(truth: Path, tmp_path: Path) -> None:
    opened = ForecastFields(forecast_store(tmp_path / "f.zarr", truth))
    streams = Streams(scoring(opened, protocol()), opened, TruthFields(truth, ("t2m", "refc")))
    tallied(streams, keep=tmp_path / "kept")
    part = tmp_path / "kept" / "part-00000002.safetensors"
    part.write_bytes(part.read_bytes()[:-40])
    with pytest.raises(IntegrityError, match="damaged"):
        tallied(streams, keep=tmp_path / "kept")


def test_valid_times_without_truth_are_counted(truth: Path, tmp_path: Path) -> None:
    path = forecast_store(tmp_path / "f.zarr", truth, inits=(0, 94), leads=(1, 3))
    opened = ForecastFields(path)
    fields = TruthFields(truth, ("t2m", "refc"))
    tally = tallied(Streams(scoring(opened, protocol()), opened, fields))
    assert tally.pairs == 3
    assert tally.missing == ["2023-06-05T01:00"]


def test_no_valid_time_at_all_is_refused(truth: Path, tmp_path: Path) -> None:
    opened = ForecastFields(forecast_store(tmp_path / "f.zarr", truth, inits=(500,)))
    with pytest.raises(Incompatible, match="no valid time"):
        tallied(Streams(scoring(opened, protocol()), opened, TruthFields(truth, ("t2m", "refc"))))


def test_every_reason_is_named_together(truth: Path, tmp_path: Path) -> None:
    path = forecast_store(tmp_path / "f.zarr", truth, units={"t2m": "degC", "refc": "dBZ"})
    wanted = protocol(
        variables=("t2m", "refc", "cape_sb"),
        metrics=[{"id": "crps"}, {"id": "rank_histogram"}, {"id": "rmsee"}],
        thresholds=[{"variable": "refc", "values": [20], "units": ""}],
    )
    with pytest.raises(Incompatible) as caught:
        check_evaluation(Sides(ForecastFields(path), truth), wanted, LEXICON)
    said = str(caught.value)
    for reason in (
        "thresholds of refc have no units",
        "the forecast has no cape_sb",
        "the truth has no cape_sb",
        "t2m is in degC in the forecast, K in the truth",
        "undefined for one member",
        "no metric 'rmsee'",
    ):
        assert reason in said, reason


def test_another_grid_is_refused(truth: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zarr"
    write_store(other, times=hours(48), shape=(8, 10))
    with pytest.raises(Incompatible, match="grids differ"):
        forecast = ForecastFields(forecast_store(tmp_path / "f.zarr", truth))
        check_evaluation(Sides(forecast, other), protocol(), LEXICON)


def test_a_forecast_that_is_still_being_written_is_refused(truth: Path, tmp_path: Path) -> None:
    path = forecast_store(tmp_path / "f.zarr", truth, finish=False)
    with pytest.raises(Conflict, match="still being written"):
        ForecastFields(path)


def test_a_truncated_chunk_is_an_error_that_names_the_field(truth: Path, tmp_path: Path) -> None:
    path = forecast_store(tmp_path / "f.zarr", truth)
    shard = max((path / "t2m" / "c").rglob("*"), key=lambda p: p.is_file() and p.stat().st_size)
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    opened = ForecastFields(path)
    with pytest.raises(IntegrityError, match="t2m"):
        for init in range(len(opened.inits)):
            opened.read(init, 0, "t2m")


def test_pooling_of_leads_is_what_the_protocol_says(truth: Path, tmp_path: Path) -> None:
    """RMSE over leads: of all errors together, or the mean of the leads' RMSE."""
    path = forecast_store(tmp_path / "f.zarr", truth, errors=(1.0,))
    group = zarr.open_group(path, mode="r+")
    group["t2m"][:, 1] = group["t2m"][:, 1] + 2.0
    for pooling, known in (("counts", 5**0.5), ("mean-of-leads", 2.0)):
        _, table = evaluated(path, truth, pooling=pooling, metrics=[{"id": "rmse"}])
        found = value(table, metric="rmse", variable="t2m", lead=None, bin="all")
        assert found == pytest.approx(known, abs=2e-3)


def test_the_first_draw_is_the_data_themselves(truth: Path, tmp_path: Path) -> None:
    opened = ForecastFields(forecast_store(tmp_path / "f.zarr", truth))
    score = scoring(opened, protocol())
    states = tallied(Streams(score, opened, TruthFields(truth, ("t2m", "refc")))).states
    draws = Draws.of(states, Bootstrap(block="24h", samples=20))
    mine = {k.block: s for k, s in states.items() if (k.name, k.statistic, k.lead) ==
            ("t2m", "members", HOUR)}  # fmt: skip
    assert len(draws.blocks) == 3
    assert draws.counts.sum(axis=1).tolist() == [3] * 21
    whole = merge_all(mine.values())
    np.testing.assert_allclose(draws.merged(mine)["square_error"][0], whole["square_error"])


@given(st.sampled_from(["rmse", "csi", "bias", "spread_skill"]), st.floats(0.01, 0.9))
def test_skill_is_positive_where_the_model_is_nearer_to_perfect(name: str, step: float) -> None:
    perfect = {"rmse": 0.0, "csi": 1.0, "bias": 0.0, "spread_skill": 1.0}[name]
    sign = -1.0 if name == "csi" else 1.0
    near, far = np.array([perfect + sign * step / 2]), np.array([perfect + sign * step])
    assert skill_draws(METRICS[name], near, far)[0] > 0
    assert skill_draws(METRICS[name], far, near)[0] < 0


def test_scores_of_unlike_protocols_are_not_compared(tmp_path: Path) -> None:
    scores = []
    for samples in (50, 60):
        wanted = protocol(bootstrap={"block": "24h", "samples": samples})
        meaning = json.loads(json.dumps(wanted.meaning(), default=list))
        document = {"run": f"evaluate-{samples}", "protocol_digest": wanted.digest(),
                    "meaning": meaning}  # fmt: skip
        scores.append(ScoresFile(tmp_path, document))
    require_alike(scores[0], scores[0])
    with pytest.raises(Incompatible, match=r"bootstrap\.samples: 50 \| 60"):
        require_alike(*scores)


def test_scores_are_written_and_read_back(truth: Path, tmp_path: Path) -> None:
    path = forecast_store(tmp_path / "f.zarr", truth)
    opened, table = evaluated(path, truth)
    folder = tmp_path / "scores" / "one"
    write_scores(folder, {"run": "one"}, table, {})
    assert read_scores(folder).rows == table.scores
    frame = pd.read_parquet(folder / "scores.parquet")
    assert list(frame.columns) == list(table_json(table)["scores"][0])
    assert len(frame) == len(table.scores)
    assert opened.members == 1


def test_keys_are_read_back_and_times_fall_into_bins() -> None:
    key = StateKey(MODEL, "members", "t@500", 3600, "hour-06", "season-JJA", 19)
    assert StateKey.parse(key.text()) == key
    assert hour_bin(START + 6 * HOUR) == "hour-06"
    assert season_bin(START) == "season-JJA"
    months = [season_bin(int(np.datetime64(f"2023-{m:02d}-15", "s").astype(int))) for m in
              (12, 1, 2, 3, 5, 8, 9, 11)]  # fmt: skip
    assert [one.removeprefix("season-") for one in months] == [
        "DJF", "DJF", "DJF", "MAM", "MAM", "JJA", "SON", "SON"]  # fmt: skip
