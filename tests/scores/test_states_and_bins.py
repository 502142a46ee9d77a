"""States merge, pool, save and load; bins overlap freely."""

from __future__ import annotations

import numpy as np
import pytest

from wxreg.errors import Incompatible
from wxreg.scores.binning import Bins
from wxreg.scores.climate import RainClimate
from wxreg.scores.ensemble import EnsembleScores
from wxreg.scores.members import MemberScores
from wxreg.scores.states import State, load_states, merge_all, save_states


def test_states_are_frozen():
    values = np.zeros(3)
    state = State({"a": values})
    values[0] = 5
    assert state["a"][0] == 0
    with pytest.raises(ValueError, match="read-only"):
        state["a"][0] = 1
    with pytest.raises(TypeError):
        state.arrays["b"] = values


def test_only_wide_types_are_kept():
    with pytest.raises(TypeError, match="float32"):
        State({"a": np.zeros(3, np.float32)})


def test_unlike_states_are_refused():
    with pytest.raises(Incompatible, match="layout"):
        State({"a": np.zeros(3)}).merge(State({"a": np.zeros(4)}))


def test_maxima_take_the_larger():
    first, second = (RainClimate().update(np.array([[day, np.nan]])) for day in (3.0, 7.0))
    merged = first.merge(second)
    assert merged["rx1day"][0, 0] == 7
    assert merged["wet_rain"][0, 0] == 10


def test_save_load_and_merge_later(tmp_path):
    random = np.random.default_rng(0)
    truth = random.random((4, 6))
    states = {
        f"t2m/{day}": EnsembleScores((0.5,)).update(random.random((3, 4, 6)), truth)
        for day in range(3)
    }
    states["members"] = MemberScores((0.5,)).update(truth, truth)
    states["rain"] = RainClimate().update(truth)
    save_states(tmp_path / "state.zarr", states)
    again = load_states(tmp_path / "state.zarr")
    assert set(again) == set(states)
    assert again["rain"].maxima == {"rx1day"}
    for key, state in states.items():
        assert again[key].layout == state.layout
        for name in state.arrays:
            np.testing.assert_array_equal(again[key][name], state[name])
    keys = [key for key in states if key.startswith("t2m")]
    before, after = (merge_all(s[key] for key in keys) for s in (states, again))
    np.testing.assert_array_equal(before["ranks"], after["ranks"])


def test_overlapping_bins_equal_scoring_each_alone():
    random = np.random.default_rng(0)
    forecast, truth = random.random((3, 9, 50)), random.random((9, 50))
    masks = {"west": np.indices(truth.shape)[1] < 30, "convective": truth > 0.6}
    bins = Bins.from_masks(masks)
    statistic = MemberScores((0.5,))
    together = statistic.update(forecast, truth, bins=bins)
    for name, mask in masks.items():
        alone = statistic.update(forecast, np.where(mask, truth, np.nan))
        pooled = bins.pool(together, name)
        for key in pooled.arrays:
            np.testing.assert_allclose(pooled[key], alone[key][0], err_msg=key)
