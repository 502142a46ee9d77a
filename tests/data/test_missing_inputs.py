"""Which earlier field stands in for a missing input, and that no field crosses events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxreg.data.missing_inputs import InputSources
from wxreg.data.windows import Axis

HOUR = 3600
TIME = st.tuples(st.booleans(), st.booleans(), st.integers(0, 2))
"""Whether all is there, whether the second variable is, and the event."""


class Store:
    """The time axis of a store; one variable may miss times of its own."""

    def __init__(self, there: list[bool], also: list[bool], segments: list[int]) -> None:
        starts = [segments.index(segment) for segment in segments]
        seconds = [HOUR * (n - start) for n, start in enumerate(starts)]
        self.axis = Axis.build(np.array(seconds), np.array(segments), np.array(there, bool))
        self._also = np.array(also, bool)

    def axis_of(self, channels: tuple[str, ...]) -> Axis:
        usable = self.axis.usable & (self._also if "refc" in channels else True)
        return Axis(self.axis.seconds, self.axis.segments, usable)


def sources(store: Any, policy: Any) -> list[list[int]]:
    found: list[list[int]] = InputSources.of(store, ("t2m", "refc"), policy).places.T.tolist()
    return found


def test_one_variable_is_filled_and_the_others_stay() -> None:
    store = Store([True] * 4, [True, True, False, True], [0] * 4)
    assert sources(store, "previous") == [[0, 1, 2, 3], [0, 1, 1, 3]]


def test_previous_reaches_one_step_back_and_persistence_as_far_as_it_must() -> None:
    store = Store([True, False, False, True], [True] * 4, [0] * 4)
    assert sources(store, "previous")[0] == [0, 0, -1, 3]
    assert sources(store, "persistence")[0] == [0, 0, 0, 3]


def test_no_field_crosses_into_another_event() -> None:
    store = Store([True, True, False, True], [True] * 4, [0, 0, 1, 1])
    for policy in ("previous", "persistence"):
        assert sources(store, policy)[0] == [0, 1, -1, 3]


@pytest.mark.parametrize("policy", ["previous", "persistence"])
@given(there=st.lists(TIME, min_size=1, max_size=30))
def test_what_is_there_is_read_and_what_stands_in_is_there_and_earlier(
    policy: str, there: list[tuple[bool, bool, int]]
) -> None:
    ordered = sorted(there, key=lambda one: one[2])
    store = Store(*([one[n] for one in ordered] for n in (0, 1, 2)))
    for number, channel in enumerate(("t2m", "refc")):
        usable = store.axis_of((channel,)).usable
        for time, place in enumerate(sources(store, policy)[number]):
            if usable[time]:
                assert place == time
            elif place >= 0:
                assert usable[place] and place < time
                assert store.axis.segments[place] == store.axis.segments[time]
                assert policy == "persistence" or time - place == 1
