"""Mirrored and turned samples: vectors follow, and what would become wrong is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxreg.data.augmenting import Motion, Vectors, augmentation
from wxreg.errors import Incompatible
from wxreg.specs.variables import Variable

MOTIONS = st.builds(Motion, st.booleans(), st.booleans(), st.integers(0, 3))
WIND = Vectors([0], [1], ((0,), (1,)))
LEXICON = {
    one.id: one
    for one in (
        Variable(id="u10", long_name="u", units="m s-1", vector="x", partner="v10"),
        Variable(id="v10", long_name="v", units="m s-1", vector="y", partner="u10"),
        Variable(id="t2m", long_name="T", units="K"),
        Variable(id="srh_0_3km", long_name="Helicity", units="m2 s-2", symmetry="turns"),
        Variable(id="wd10", long_name="Direction", units="degree", symmetry="none"),
    )
}


def _wind_of(stream: np.ndarray) -> np.ndarray:
    """Non-divergent wind of a stream function on a periodic plane; rows run southwards."""
    u = (np.roll(stream, -1, -2) - np.roll(stream, 1, -2)) / 2
    v = (np.roll(stream, -1, -1) - np.roll(stream, 1, -1)) / 2
    return np.stack([u, v])


def _divergence(wind: np.ndarray) -> np.ndarray:
    u, v = wind
    return (np.roll(u, -1, -1) - np.roll(u, 1, -1)) - (np.roll(v, -1, -2) - np.roll(v, 1, -2))


@given(MOTIONS, st.integers(0, 999))
def test_a_wind_without_divergence_stays_one_and_keeps_its_speed(motion: Motion, seed: int) -> None:
    """A component moved without its sign or its partner would make sources and sinks."""
    stream = np.random.default_rng(seed).normal(size=(8, 8))
    wind = _wind_of(stream)
    moved = motion.channels(wind, WIND)
    assert np.allclose(_divergence(wind), 0)
    assert np.allclose(_divergence(moved), 0, atol=1e-12)
    assert np.allclose(motion.field(np.hypot(*wind)), np.hypot(*moved))


def test_a_westerly_becomes_what_the_compass_says() -> None:
    west = np.stack([np.ones((2, 2)), np.zeros((2, 2))])
    assert np.array_equal(Motion(flip_x=True).channels(west, WIND), -west)
    assert np.array_equal(Motion(flip_y=True).channels(west, WIND), west)
    turned_left = Motion(quarters=1).channels(west, WIND)
    assert np.allclose(turned_left, west[::-1]), "a wind towards the east now blows north"


@given(st.integers(0, 3), st.integers(0, 99))
def test_four_quarters_are_nothing(quarters: int, seed: int) -> None:
    fields = np.random.default_rng(seed).normal(size=(2, 5, 5))
    there = Motion(quarters=quarters).channels(fields, WIND)
    back = Motion(quarters=(4 - quarters) % 4).channels(there, WIND)
    assert np.allclose(back, fields)


def test_what_would_become_wrong_is_refused() -> None:
    for kinds, channels, word in (
        (("rotate",), ("u10", "t2m"), "v10"),
        (("flip-x",), ("t2m", "srh_0_3km"), "helicity"),
        (("rotate",), ("wd10",), "direction"),
    ):
        with pytest.raises(Incompatible) as caught:
            augmentation(kinds, channels, ("t2m",), LEXICON)
        assert caught.value.code == "REG-460" and word in caught.value.message
        assert caught.value.hint
    assert augmentation(("flip-x", "flip-y"), ("u10",), ("t2m",), LEXICON).inputs.eastward == [0]
    assert augmentation(("rotate",), ("srh_0_3km",), ("t2m",), LEXICON).inputs.pairs == ((), ())


def test_only_declared_motions_are_drawn_and_each_of_them_is() -> None:
    both = augmentation(("flip-x", "rotate"), ("t2m",), ("t2m",), LEXICON)
    seen = {both.motion(np.uint64(draw)) for draw in range(16)}
    assert {one.flip_x for one in seen} == {True, False}
    assert {one.quarters for one in seen} == {0, 1, 2, 3}
    assert {one.flip_y for one in seen} == {False}
