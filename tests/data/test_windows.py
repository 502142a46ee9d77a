from __future__ import annotations

import cftime
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wxreg.data.windows import (
    Axis,
    enumerate_windows,
    moment_seconds,
    one_lead_each,
    period_seconds,
    seconds_since_epoch,
)
from wxreg.errors import IntegrityError
from wxreg.specs.timeaxis import Period

HOUR = 3600


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    """Several segments, each with gaps and unusable times, all overlapping in time."""
    parts = draw(st.lists(st.sets(st.integers(0, 30), max_size=20), min_size=1, max_size=4))
    seconds = [hour * HOUR for part in parts for hour in sorted(part)]
    segments = [number for number, part in enumerate(parts) for _ in part]
    usable = draw(st.lists(st.booleans(), min_size=len(seconds), max_size=len(seconds)))
    return Axis.build(np.array(seconds, int), np.array(segments, int), np.array(usable, bool))


@given(
    axes(),
    st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
    st.integers(0, 25),
    st.integers(1, 20),
)
@settings(max_examples=150, deadline=None)
def test_windows_are_exactly_those_that_brute_force_finds(axis, back, ahead, start, length):
    history = tuple(sorted(-hour * HOUR for hour in back))
    leads = tuple(sorted(hour * HOUR for hour in ahead))
    period = (start * HOUR, (start + length) * HOUR)
    found = enumerate_windows(axis, axis, history=history, leads=leads, periods=(period,))

    place = {
        (int(segment), int(second)): number
        for number, (segment, second) in enumerate(zip(axis.segments, axis.seconds, strict=True))
        if axis.usable[number]
    }
    expected = []
    for segment, second in sorted(zip(axis.segments.tolist(), axis.seconds.tolist(), strict=True)):
        wanted = [second + offset for offset in (*history, *leads)]
        inside = all(period[0] <= one < period[1] for one in [*wanted, second])
        if inside and all((segment, one) in place for one in wanted):
            expected.append((segment, second, tuple(place[segment, one] for one in wanted)))
    assert expected == [
        (window.segment, window.init, window.inputs + window.targets)
        for window in (found[i] for i in range(len(found)))
    ]


def test_a_window_never_crosses_a_split_border_or_a_segment():
    seconds = np.arange(10) * HOUR
    axis = Axis.build(seconds, np.repeat([7, 9], 5))
    whole = enumerate_windows(axis, axis, history=(-HOUR, 0), leads=(HOUR,))
    assert [(w.segment, w.init // HOUR) for w in map(whole.__getitem__, range(len(whole)))] == [
        (7, 1),
        (7, 2),
        (7, 3),
        (9, 6),
        (9, 7),
        (9, 8),
    ]
    cut = enumerate_windows(
        axis, axis, history=(-HOUR, 0), leads=(HOUR,), periods=((0, 4 * HOUR), (4 * HOUR, 9 * HOUR))
    )
    assert (cut.init // HOUR).tolist() == [1, 2, 6, 7]


def test_without_truth_the_future_may_be_absent():
    axis = Axis.build(np.arange(3) * HOUR)
    found = enumerate_windows(axis, axis, history=(0,), leads=(HOUR,), truth=False)
    assert found.targets.ravel().tolist() == [1, 2, -1]


def test_inputs_and_targets_may_have_different_axes():
    coarse = Axis.build(np.arange(0, 24, 3) * HOUR)
    fine = Axis.build(np.arange(1, 24) * HOUR)
    found = enumerate_windows(coarse, fine, history=(0,), leads=(0,))
    assert (found.init // HOUR).tolist() == [3, 6, 9, 12, 15, 18, 21]
    assert found.targets.ravel().tolist() == [2, 5, 8, 11, 14, 17, 20]


def test_one_lead_each_lists_every_lead_of_every_window():
    axis = Axis.build(np.arange(4) * HOUR)
    parts = [enumerate_windows(axis, axis, history=(0,), leads=(n * HOUR,)) for n in (1, 2)]
    joined = one_lead_each(parts)
    assert (joined.leads // HOUR).ravel().tolist() == [1, 1, 1, 2, 2]
    assert joined[4].targets == (3,)


@pytest.mark.parametrize("seconds", [[0, 1, 1], [0, 2, 1]])
def test_times_that_do_not_increase_are_refused(seconds):
    with pytest.raises(IntegrityError, match="does not come after"):
        Axis.build(np.array(seconds))


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "standard", "julian", "all_leap"])
def test_moments_and_times_count_alike_in_every_calendar(calendar):
    time = cftime.datetime(2021, 3, 1, 6, calendar=calendar)
    assert seconds_since_epoch(np.array([time]))[0] == moment_seconds("2021-03-01T06:00", calendar)


def test_periods_count_in_their_own_calendar():
    period = Period(start="2020-02-01", end="2020-03-01")
    lengths = {
        calendar: np.diff(period_seconds([period], calendar))[0, 0] // 86400
        for calendar in ("standard", "noleap", "360_day")
    }
    assert lengths == {"standard": 29, "noleap": 28, "360_day": 30}
