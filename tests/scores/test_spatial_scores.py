"""FSS, SAL, objects, spectra, structure, initiation, displacement."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wxreg.scores.displacement import Displacement, phase_shift
from wxreg.scores.fss import FractionsSkill, fss, useful_fss
from wxreg.scores.initiation import Initiation, mean_timing_error
from wxreg.scores.metrics import finish
from wxreg.scores.objects import ObjectScores, label_objects
from wxreg.scores.sal import Sal
from wxreg.scores.spectra import Spectrum, log_spectral_distance
from wxreg.scores.states import State
from wxreg.scores.structure import Structure, gradient_ratio, structure_ratio

WITHOUT_NUMBA = [True, False]


def rain(seed=0, shape=(60, 90)):
    return np.random.default_rng(seed).gamma(0.5, 2, shape)


def hide_numba(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "numba" else find(n))


@pytest.mark.parametrize("without_numba", WITHOUT_NUMBA)
def test_fss_against_scores_and_pysteps(monkeypatch, without_numba):
    from pysteps.verification.spatialscores import fss as pysteps_fss
    from scores.spatial import fss_2d_single_field

    if without_numba:
        hide_numba(monkeypatch)
    forecast, truth, scales = rain(0), rain(1), (1, 3, 4, 9, 31)
    valid = fss(FractionsSkill((1.0, 3.0), scales).update(forecast, truth))
    padded = fss(FractionsSkill((1.0, 3.0), scales, "padded").update(forecast, truth))
    for t, threshold in enumerate((1.0, 3.0)):
        for s, width in enumerate(scales):
            oracle = fss_2d_single_field(
                forecast, truth, event_threshold=threshold, window_size=(width, width),
                zero_padding=False, threshold_operator=np.greater_equal,
            )  # fmt: skip
            assert valid[t, s] == pytest.approx(float(oracle), abs=1e-9)
            assert padded[t, s] == pytest.approx(
                pysteps_fss(forecast, truth, threshold, width), abs=1e-6
            )


def test_fss_of_displaced_rectangles():
    """Rectangles of width w shifted by d: windows of n >= d see 1 - (what is left out)."""
    truth, forecast = np.zeros((40, 200)), np.zeros((40, 200))
    truth[:, 80:90], forecast[:, 95:105] = 1, 1
    score = fss(FractionsSkill((0.5,), (1, 15, 199)).update(forecast, truth))[0]
    assert score[0] == 0
    assert 0 < score[1] < 1
    # rows are alike, so each window is one-dimensional: overlap of two trapezoids
    box = (
        np.convolve(truth[0], np.ones(15), "valid"),
        np.convolve(forecast[0], np.ones(15), "valid"),
    )
    expected = 1 - ((box[0] - box[1]) ** 2).sum() / ((box[0] ** 2).sum() + (box[1] ** 2).sum())
    assert score[1] == pytest.approx(expected)


def test_fss_without_events_and_with_missing_points():
    dry = np.zeros((20, 20))
    assert np.isnan(fss(FractionsSkill((1.0,), (3,)).update(dry, dry))).all()
    one_sided = FractionsSkill((1.0,), (3,)).update(dry + 2, dry)
    assert fss(one_sided)[0, 0] == 0
    holed = rain(0).copy()
    holed[3, 4] = np.nan
    state = FractionsSkill((1.0,), (3,)).update(holed, rain(1))
    assert state["missing"] == 1
    assert np.isfinite(useful_fss(state)).all()


@given(st.integers(0, 50), st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_fss_pools_over_cases(a, b):
    statistic = FractionsSkill((1.0,), (5,))
    first, second = statistic.update(rain(a), rain(b)), statistic.update(rain(b), rain(a + 1))
    merged = fss(first.merge(second))[0, 0]
    n = first["difference"] + second["difference"]
    d = sum(s[k] for s in (first, second) for k in ("forecast", "truth"))
    assert merged == pytest.approx((1 - n / d)[0, 0])


def block(shape, y, x, height, width, value=1.0):
    field = np.zeros(shape)
    field[y : y + height, x : x + width] = value
    return field


def test_sal_published_geometry():
    """Wernli's idealised cases: only the property that was changed shows."""
    sal, shape = Sal(2.0, 2.0), (100, 200)
    truth = block(shape, 40, 40, 10, 10)
    assert sal.values(truth, truth) == (0, 0, 0)
    shifted = sal.values(block(shape, 40, 80, 10, 10), truth)
    assert shifted.structure == 0
    assert shifted.amplitude == 0
    assert shifted.location == pytest.approx(40 / np.hypot(100, 200))
    wider = sal.values(block(shape, 35, 35, 20, 20), truth)
    assert wider.structure == pytest.approx((400 - 100) / 250)
    assert wider.amplitude == pytest.approx((400 - 100) / 250)
    stronger = sal.values(3 * truth, truth)
    assert stronger.structure == 0
    assert stronger.amplitude == pytest.approx(1)
    two = block(shape, 40, 20, 10, 10) + block(shape, 40, 60, 10, 10)
    assert sal.values(two, block(shape, 40, 40, 10, 10)).location == pytest.approx(
        2 * 40 / np.hypot(200, 400), abs=1e-9
    )


def test_sal_of_dry_fields():
    dry, wet = np.zeros((20, 20)), block((20, 20), 5, 5, 4, 4)
    assert np.isnan(Sal(1, 1).values(dry, dry)).all()
    half = Sal(1, 1).values(wet, dry)
    assert half.amplitude == 2
    assert np.isnan(half.location)
    state = Sal(1, 1).update(wet, dry).merge(Sal(1, 1).update(wet, wet))
    assert list(state["count"]) == [1, 2, 1]
    assert finish("sal_a", state) == 1


def test_objects_match_and_miss():
    shape = (80, 80)
    truth = block(shape, 10, 10, 6, 12, 40) + block(shape, 60, 60, 5, 5, 40)
    forecast = block(shape, 12, 13, 6, 12, 45) + block(shape, 10, 65, 4, 4, 40)
    state = ObjectScores(35, 3, 3, reach_km=60).update(forecast, truth)
    assert (state["matched"], state["false"], state["missed"]) == (1, 1, 1)
    assert finish("object_distance", state) == pytest.approx(3 * np.hypot(2, 3))
    assert state["intensity_difference"] == 5
    assert finish("object_pod", state) == 0.5
    assert finish("object_far", state) == 0.5


def test_objects_orientation_size_and_merging():
    field = np.eye(30) * 50
    found = label_objects(field, 35, 1, 1)
    assert len(found) == 1
    assert found.orientation[0] == pytest.approx(45)
    pair = block((40, 40), 5, 5, 5, 5) + block((40, 40), 5, 12, 5, 5)
    assert len(label_objects(pair, 0.5, 1, 1)) == 2
    assert len(label_objects(pair, 0.5, 1, 1, gap=1)) == 1
    assert len(label_objects(pair, 0.5, 1, 1, smallest=26)) == 0
    empty = ObjectScores(35, 1, 1).update(np.zeros((9, 9)), np.full((9, 9), np.nan))
    assert np.isnan(finish("object_pod", empty))


@pytest.mark.parametrize("without_numba", WITHOUT_NUMBA)
def test_spectrum_of_one_cosine(monkeypatch, without_numba):
    if without_numba:
        hide_numba(monkeypatch)
    y, x = np.mgrid[0:64, 0:100]
    wave = 3 * np.cos(2 * np.pi * 8 * x / 100).astype(np.float32)
    spectrum = Spectrum(1, 1, "none")
    power = spectrum.power(wave)
    assert power.argmax() == 8
    assert power[np.arange(power.size) != 8].max() < 1e-9
    down = spectrum.power(3 * np.cos(2 * np.pi * 8 * y / 64).astype(np.float32))
    k = spectrum.wavenumbers((64, 100))
    assert k[down.argmax()] == pytest.approx(8 / 64, abs=0.0051)
    assert log_spectral_distance(State({"forecast_power": power * 10, "truth_power": power})) == (
        pytest.approx(10)
    )


@pytest.mark.parametrize("shape", [(32, 48), (33, 47)])
def test_spectrum_against_the_full_transform(shape):
    field = np.random.default_rng(0).normal(size=shape)
    power = Spectrum(1, 1, "none").power(field)
    full = np.abs(np.fft.fft2(field - field.mean())) ** 2 / field.size**2
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])) * max(shape)
    for ring in range(1, len(power)):
        assert power[ring] == pytest.approx(full[np.floor(radius + 0.5 + 1e-9) == ring].mean())


def test_spectrum_of_missing_and_constant_fields():
    spectrum, field = Spectrum(1, 1), rain()
    assert spectrum.update(field * np.nan, field)["missing"] == 1
    flat = spectrum.update(np.ones_like(field), np.ones_like(field))
    assert np.isnan(finish("lsd", flat))
    assert finish("lsd", spectrum.update(field, field)) == 0


def test_smoothing_shows_in_structure():
    truth = rain()
    smooth = (truth + np.roll(truth, 1, 0) + np.roll(truth, 1, 1)) / 3
    state = Structure(1, 1).update(smooth, truth)
    assert gradient_ratio(state) < 0.9
    assert (structure_ratio(state) < 1).all()
    assert np.isnan(gradient_ratio(Structure(1, 1).update(truth * 0, truth * 0)))


def test_initiation_and_its_timing():
    truth, forecast = np.zeros((6, 16, 24)), np.zeros((6, 16, 24))
    truth[2:, 1, 1] = 40  # begins at 2
    forecast[3:, 2, 2] = 40  # same block, one late
    truth[1:, 9, 9] = 40  # missed
    forecast[4:, 1, 20] = 40  # false
    truth[:, 9, 20] = 40  # already there: left out
    state = Initiation(35).update(forecast, truth)
    assert list(state["contingency"]) == [1, 1, 1, 2]
    assert state["left_out"] == 1
    assert mean_timing_error(state) == 1
    assert finish("initiation_pod", state) == 0.5


def test_displacement_finds_a_shift():
    y, x = np.mgrid[0:64, 0:64]
    storm = np.exp(-((y - 30) ** 2 + (x - 30) ** 2) / 30)
    moved = np.exp(-((y - 33) ** 2 + (x - 25) ** 2) / 30)
    shift = phase_shift(moved, storm)
    assert shift == pytest.approx((3, -5), abs=0.5)
    state = Displacement(2, 2).update(moved, storm)
    assert finish("displacement", state) == pytest.approx(2 * np.hypot(3, 5), abs=0.8)
    assert Displacement(2, 2).update(storm * 0, storm)["undefined"] == 1


@pytest.mark.parametrize("edge", ["valid", "padded"])
def test_fss_counts_never_overflow(monkeypatch, edge):
    """Widths at which counts, or sums of their squares, would leave 16 or 32 bits."""
    full, most = np.ones((300, 310), np.float32), np.ones((300, 310), np.float32)
    most[::7, ::5] = 0
    for scales in ((2, 64, 90, 91, 255), (64, 256, 299, 320)):
        statistic = FractionsSkill((0.5,), scales, edge)
        compiled = statistic.update(full, most)
        with monkeypatch.context() as patched:
            hide_numba(patched)
            plain = statistic.update(full, most)
        for name in plain.arrays:
            np.testing.assert_array_equal(compiled[name], plain[name], err_msg=name)
