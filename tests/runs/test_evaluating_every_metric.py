"""Every metric of the catalogue is reached from a protocol, merges, and bears awkward fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from metric_worlds import INITS, LEXICON, MEMBERS, every_metric, hourly_world, streams_of

from wxreg.runs.evaluating.checks import Sides, check_evaluation
from wxreg.runs.evaluating.streams import Streams
from wxreg.runs.evaluating.tallying import tallied
from wxreg.runs.scoring.files import merged_states, read_states, write_states
from wxreg.runs.scoring.keys import MODEL, StateKey
from wxreg.runs.scoring.rows import Table, rows_of
from wxreg.runs.scoring.states import field_states
from wxreg.scores.catalogue import METRICS
from wxreg.scores.states import State

States = Mapping[StateKey, State]


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Streams:
    truth, ensemble, climate = hourly_world(tmp_path_factory.mktemp("metrics"))
    opened = streams_of(truth, ensemble, climate, every_metric())
    check_evaluation(Sides(opened.forecast, truth), opened.scoring.protocol, LEXICON)
    return opened


@pytest.fixture(scope="module")
def by_init(streams: Streams) -> list[States]:
    """The states of each init, scored alone."""
    return [tallied(streams, [position]).states for position in range(len(INITS))]


def table_of(streams: Streams, states: States) -> Table:
    return rows_of(streams.scoring, states, {MODEL: MEMBERS}, streams.forecast.leads)


@pytest.fixture(scope="module")
def table(streams: Streams, by_init: list[States]) -> Table:
    return table_of(streams, merged_states(by_init))


def test_every_metric_has_rows_from_a_protocol(table: Table) -> None:
    found = {row.metric for row in table.scores if row.value is not None}
    wanted = {name for name, metric in METRICS.items() if metric.statistic != "climate"}
    assert wanted - found == set()
    scales = {name for name, metric in METRICS.items() if metric.scale} & wanted
    assert {row.metric for row in table.scores if row.scale is not None} >= scales
    for row in table.scores:
        if row.metric in scales and row.metric != "psd":
            assert row.scale is not None, row


def test_bins_of_masks_regions_and_seasons(table: Table) -> None:
    for metric in ("rmse", "acc", "quantile_bias", "vector_rmse", "event_pod", "loglik",
                   "spread_error_corr", "crps_reliability", "ensemble_corr"):  # fmt: skip
        bins = {row.bin for row in table.scores if row.metric == metric}
        assert bins >= {"all", "convective", "not-convective", "west", "season-JJA"}, metric


def test_hours_share_the_cells_between_them(streams: Streams) -> None:
    plain = every_metric(metrics=[{"id": "mae"}, {"id": "vector_rmse"}], bins=["hour"])
    hourly = replace(streams, scoring=replace(streams.scoring, protocol=plain), climatology=None)
    table = rows_of(hourly.scoring, tallied(hourly).states, {MODEL: MEMBERS},
                    streams.forecast.leads)  # fmt: skip
    counts = {row.bin: row.count for row in table.scores
              if (row.metric, row.variable) == ("mae", "t2m")}  # fmt: skip
    # A mask says nothing of a point whose truth is missing: the hole in refc.
    leads = len(streams.forecast.leads)
    times, lost = len(INITS) * leads, leads  # one member lacks one init
    assert counts["all"] == (times * MEMBERS - lost) * 16 * 24
    assert counts["convective"] + counts["not-convective"] == counts["all"] - (
        times * MEMBERS - lost
    )
    assert sum(n for name, n in counts.items() if name.startswith("hour-")) == counts["all"]


@pytest.mark.parametrize(("order", "cut"), [((2, 0, 1), 1), ((1, 2, 0), 2)])
def test_parts_in_any_order_and_grouping_are_scoring_at_once(
    by_init: list[States], whole: States, tmp_path: Path, order: tuple[int, ...], cut: int
) -> None:
    parts = [merged_states([by_init[n] for n in some]) for some in (order[:cut], order[cut:])]
    write_states(tmp_path / "part.zarr", parts[0])
    merged = merged_states([parts[1], {}, read_states(tmp_path / "part.zarr")])
    assert merged.keys() == whole.keys()
    for key, state in whole.items():
        for name in state.arrays:
            alike = np.allclose(merged[key][name], state[name], rtol=1e-9, atol=1e-9)
            assert alike, f"{key} {name}"


@pytest.fixture(scope="module")
def whole(streams: Streams) -> States:
    return tallied(streams).states


def test_an_empty_state_is_the_zero_of_every_statistic(by_init: list[States]) -> None:
    for key, state in by_init[0].items():
        assert State().merge(state).layout == state.layout, key
        assert state.merge(State()).arrays.keys() == state.arrays.keys()


ALIKE = np.ones((16, 24), "f4")
AWKWARD = {
    "all missing": lambda made, real: (made * np.nan, real),
    "no observation": lambda made, real: (made, real * np.nan),
    "constant": lambda made, real: (made * 0 + 288, real * 0 + 288),
    "zero variance of the forecast": lambda made, real: (made * 0 + 288, real),
    "zero": lambda made, real: (made * 0, real * 0),
    "one point": lambda made, real: (_one_point(made), _one_point(real)),
}


def _one_point(field: np.ndarray) -> np.ndarray:
    kept = np.full_like(field, np.nan)
    kept[..., 5, 5] = field[..., 5, 5]
    return kept


@pytest.mark.parametrize("case", AWKWARD)
@pytest.mark.filterwarnings("error")
def test_awkward_fields_have_stated_results(streams: Streams, case: str) -> None:
    """No warning, no infinity, and the values that the definitions give."""
    scoring, change = streams.scoring, AWKWARD[case]
    made = {name: streams.forecast.read(0, 0, name) for name in scoring.channels}
    place = streams.truth.place(streams.forecast.starts[0], streams.forecast.leads[0])
    assert place is not None
    real = {name: streams.truth.read(place, name) for name in scoring.channels}
    pairs = {name: change(made[name], real[name]) for name in scoring.channels}
    states = {
        StateKey(MODEL, statistic, name, 3600, "", "", 0): state
        for statistic, name, state in field_states(
            scoring,
            lambda name: pairs[name][0],
            lambda name: pairs[name][1],
            lambda name: ALIKE * 280,
        )
    }
    table = rows_of(scoring, states, {MODEL: MEMBERS}, (3600,))
    found = {
        (row.metric, row.variable): row.value for row in table.scores
        if row.bin == "all" and row.threshold in (None, 20.0) and row.scale in (None, 1.0, 0.9, 0.5)
    }  # fmt: skip
    assert all(value is None or np.isfinite(value) for value in found.values())
    for (metric, variable), expected in EXPECTED[case].items():
        value = found[metric, variable]
        assert value == (None if expected is None else pytest.approx(expected, abs=1e-4)), metric


NOTHING = {
    (metric, "t2m"): None
    for metric in ("rmse", "mae", "bias", "corr", "acc", "r2", "crps", "crps_ensemble", "loglik",
                   "spread_skill", "rank_reliability", "spread_error_corr", "energy_score",
                   "quantile_loss", "quantile_bias", "crps_reliability", "quantile_distance",
                   "distribution_distance", "lsd", "gradient_ratio", "displacement",
                   "spatial_corr", "ensemble_corr", "sal_s", "sal_l")
} | {
    (metric, "refc"): None
    for metric in ("csi", "pod", "far", "fss", "brier", "roc_area", "neighbourhood_csi",
                   "object_pod", "object_far", "object_interest")
}  # fmt: skip
EXPECTED: dict[str, dict[tuple[str, str], float | None]] = {
    "all missing": NOTHING | {("violation_rate", "t2m_within"): None},
    "no observation": NOTHING,
    "constant": {
        ("rmse", "t2m"): 0.0, ("corr", "t2m"): None, ("r2", "t2m"): None,
        ("crps", "t2m"): 0.0, ("spread_skill", "t2m"): None, ("loglik", "t2m"): None,
        ("spatial_corr", "t2m"): None, ("gradient_ratio", "t2m"): None, ("lsd", "t2m"): None,
        ("displacement", "t2m"): None, ("csi", "refc"): 1.0, ("brier", "refc"): 0.0,
        ("roc_area", "refc"): None, ("fss", "refc"): 1.0, ("quantile_distance", "t2m"): 0.0,
        ("crps_reliability", "t2m"): 0.0, ("energy_score", "t2m"): 0.0, ("sal_a", "t2m"): 0.0,
    },
    "zero variance of the forecast": {
        ("corr", "t2m"): None, ("spatial_corr", "t2m"): None, ("spread_skill", "t2m"): 0.0,
        ("loglik", "t2m"): None, ("gradient_ratio", "t2m"): 0.0, ("lsd", "t2m"): None,
    },
    "zero": {
        ("rmse", "t2m"): 0.0, ("sal_s", "t2m"): None, ("sal_a", "t2m"): None,
        ("sal_l", "t2m"): None, ("csi", "refc"): None, ("fss", "refc"): None,
        ("object_pod", "refc"): None, ("freq_bias", "refc"): None,
    },
    "one point": {("corr", "t2m"): None, ("spatial_corr", "t2m"): None, ("lsd", "t2m"): None},
}  # fmt: skip


def test_one_member_has_what_a_point_forecast_can_have(streams: Streams) -> None:
    forecast = streams.forecast
    original, forecast_members = forecast.read, forecast.members
    one = replace(streams)
    one.forecast.read = lambda *at: original(*at)[:1]  # type: ignore[method-assign]
    try:
        states = tallied(one, [0]).states
    finally:
        forecast.read = original  # type: ignore[method-assign]
        assert forecast.members == forecast_members
    table = rows_of(streams.scoring, states, {MODEL: 1}, forecast.leads)
    found = {row.metric for row in table.scores}
    assert {"rmse", "acc", "quantile_loss", "crps_ensemble", "csi", "fss", "sal_s"} <= found
    assert not {"crps", "loglik", "rank_histogram", "brier", "energy_score"} & found
