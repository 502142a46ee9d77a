from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wxreg.data.leakage import (
    Events,
    event_findings,
    leak,
    overlapping,
    split_findings,
    window_findings,
)
from wxreg.data.readers.sevir_catalogue import PROJECTION, parse_catalogue
from wxreg.data.windows import Axis, enumerate_windows, moment_seconds
from wxreg.leadtime import Duration
from wxreg.runs.datasets.data_checks import events_of
from wxreg.specs.timeaxis import Period, Splits

REAL = Path(__file__).parents[3] / "shared/real/sevir/CATALOG_vil_2019H1_excel-mangled.csv"
HOUR = 3600


def events(places: list[tuple[float, float, float]]) -> Events:
    x, y, start = (np.array(part, float) for part in zip(*places, strict=True))
    return Events(x, y, np.full(len(places), 384_000.0), start.astype(np.int64))


def test_overlap_is_the_shared_part_of_space_and_time():
    found = overlapping(
        events([(0, 0, 0), (192_000, 0, 2 * HOUR), (0, 0, 4 * HOUR), (384_000, 0, 0)])
    )
    pairs = {
        (int(a), int(b)): share
        for a, b, share in zip(found.first, found.second, found.share, strict=True)
    }
    assert {tuple(sorted(pair)): share for pair, share in pairs.items()} == {
        (0, 1): 0.25,
        (1, 2): 0.25,
        (1, 3): 0.25,
    }


@given(
    st.lists(st.tuples(st.floats(0, 9e5), st.floats(0, 9e5), st.integers(0, 50_000)), max_size=25)
)
@settings(max_examples=50, deadline=None)
def test_overlaps_are_those_that_brute_force_finds(places):
    if not places:
        return
    all_events = events(places)
    found = overlapping(all_events)
    expected = set()
    for i, (x, y, t) in enumerate(places):
        for j, (p, q, s) in enumerate(places[:i]):
            shared = [384_000 - abs(x - p), 384_000 - abs(y - q), 4 * HOUR - abs(t - s)]
            if min(shared) > 0:
                expected.add((j, i))
    got = {
        tuple(sorted(pair))
        for pair in zip(found.first.tolist(), found.second.tolist(), strict=True)
    }
    assert got == expected


def splits(**more) -> Splits:
    return Splits(
        train=(Period(start="2023-01-01", end="2023-02-01"),),
        validation=(Period(start="2023-02-02", end="2023-03-01"),),
        test=(Period(start="2023-03-02", end="2023-04-01"),),
        **more,
    )


def test_splits_that_are_too_near_are_found():
    assert split_findings(splits(buffer=Duration(86400)), "standard", "x.yaml") == []
    found = split_findings(splits(buffer=Duration(2 * 86400)), "standard", "x.yaml")
    assert [one.code for one in found] == ["REG-438", "REG-438"]


def test_windows_that_cross_a_border_are_found():
    first = moment_seconds("2023-01-31T20:00")
    axis = Axis.build(first + np.arange(10) * HOUR)
    free = enumerate_windows(axis, axis, history=(0,), leads=(HOUR,))
    found = window_findings(free, splits(), "standard", (0,), "runs")
    assert "windows cross the border" in found[0].what
    inside = [(first, moment_seconds("2023-02-01T00:00"))]
    kept = enumerate_windows(axis, axis, history=(0,), leads=(HOUR,), periods=inside)
    assert len(kept) and window_findings(kept, splits(), "standard", (0,), "runs") == []


def real_events() -> Events:
    table = parse_catalogue(REAL.read_bytes(), str(REAL)).table
    seconds = table.time_utc.to_numpy("datetime64[s]").astype(np.int64)
    return Events.from_corners(
        table.llcrnrlat.to_numpy(float),
        table.llcrnrlon.to_numpy(float),
        table.width_m.to_numpy(float),
        seconds,
        PROJECTION,
    )


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="../shared/real is not here")
def test_real_sevir_leaks_by_random_split_and_hardly_by_date():
    found = real_events()
    overlaps = overlapping(found)
    assert len(overlaps.first) == pytest.approx(363, abs=15)
    assert len(overlaps.events()) == pytest.approx(397, abs=15)
    heavy = []
    for seed in range(20):
        test = np.random.default_rng(seed).permutation(len(found)) < len(found) // 5
        heavy.append(leak(overlaps, ~test, test).heavy_share)
    assert 0.05 < np.mean(heavy) < 0.10

    middle = found.start + 2 * HOUR
    cut = moment_seconds("2019-06-01T00:00")
    by_date = leak(overlaps, middle < cut - 86400, middle >= cut)
    assert by_date.test > 100 and by_date.touched == 0

    near = Splits(
        train=(Period(start="2019-01-01", end="2019-05-30"),),
        validation=(Period(start="2019-05-31", end="2019-06-10"),),
        test=(Period(start="2019-06-11", end="2019-07-02"),),
        buffer=Duration(86400),
    )
    findings, leaks = event_findings(found, near, "standard", "sevir")
    assert [one.severity for one in findings] == ["info"] and leaks["test"].test > 0


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="../shared/real is not here")
def test_the_check_tells_the_shares_of_real_sevir_by_date_and_at_random(tmp_path):
    (tmp_path / "CATALOG.csv").write_bytes(REAL.read_bytes())
    careless = Splits(
        train=(Period(start="2019-01-01", end="2019-05-20"),),
        validation=(Period(start="2019-05-20T00:01", end="2019-06-10"),),
        test=(Period(start="2019-06-10T00:01", end="2019-07-02"),),
        buffer=Duration(60),
    )
    findings = events_of(tmp_path, careless, "standard", "sevir@real")
    told = findings[-1].what
    shares = [float(one) for one in re.findall(r"([0-9.]+)%", told)]
    assert 30 < shares[-2] < 50 and 5 < shares[-1] < 10  # at random
    assert max(shares[:-2]) < 5  # by date, even without a buffer
