"""Scoring in bands gives the same states, and memory does not grow with the members."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from score_worlds import LEXICON, protocol

from wxreg.runs.scoring import bands as scoring_bands
from wxreg.runs.scoring.bands import StoredMembers, bands
from wxreg.runs.scoring.states import field_states
from wxreg.runs.scoring.statistics import Domain
from wxreg.runs.scoring.wanted import Scoring
from wxreg.scores.states import State

SHAPE = (700, 64)


def scored(members: int) -> tuple[dict[tuple[str, str], State], float]:
    """All states of one field, and the most that was held beside what is stored, in bytes."""
    lat = np.zeros(SHAPE)
    wanted = Scoring(protocol(), ("t2m", "refc"), Domain(3, 3), LEXICON, lat, lat)
    random = np.random.default_rng(0)
    array = random.normal(280, 3, (members, *SHAPE)).astype(np.float32)
    truth = random.normal(280, 3, SHAPE).astype(np.float32)
    stored = StoredMembers(array.shape, lambda index: array[index].copy())
    tracemalloc.start()
    states = {
        (s, n): state for s, n, state in field_states(wanted, lambda _: stored, lambda _: truth)
    }
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return states, float(peak)


def test_bands_give_the_same_states(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = scored(5)
    monkeypatch.setattr(scoring_bands, "HELD_BYTES", 1)
    banded, _ = scored(5)
    assert len(list(bands((5, *SHAPE)))) == 3
    assert whole.keys() == banded.keys()
    for key, state in whole.items():
        for name, values in state.arrays.items():
            np.testing.assert_allclose(
                banded[key][name], values, rtol=1e-6, atol=1e-6, err_msg=f"{key} {name}"
            )


def test_memory_is_flat_in_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a size all members are held, beyond it a band of them."""
    scored(3)  # what is compiled and loaded once
    field = 4 * SHAPE[0] * SHAPE[1]
    monkeypatch.setattr(scoring_bands, "HELD_BYTES", 60 * field)
    few, many = scored(50)[1], scored(150)[1]
    assert many < 1.3 * few
    assert many < 0.6 * 150 * field
