"""Durations: parsed once, printed one way, compared exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxreg.errors import UsageError
from wxreg.leadtime import Duration, parse_leads, print_leads

durations = st.integers(0, 10**7).map(Duration)


@given(durations)
def test_what_is_printed_is_read_back(duration: Duration) -> None:
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h", 3600),
        ("90min", 5400),
        ("PT6H", 21600),
        ("3d", 259200),
        ("P1DT12H", 129600),
        ("0h", 0),
    ],
)
def test_every_way_to_write_one(text: str, seconds: int) -> None:
    assert Duration.parse(text).seconds == seconds


def test_equal_durations_are_equal_however_they_were_written() -> None:
    assert Duration.parse("60min") == Duration.parse("1h") == Duration.parse("PT1H")


@pytest.mark.parametrize(
    "text", ["", "h", "-1h", "1.5h", "1 week", "P", "PT", "1h1h", "9" * 30 + "h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Duration.parse(text)


@given(st.sets(durations, min_size=1, max_size=8))
def test_leads_are_read_back(found: set[Duration]) -> None:
    leads = tuple(sorted(found))
    assert parse_leads(print_leads(leads)) == leads


def test_a_range_is_its_members() -> None:
    assert print_leads(parse_leads("3h,6h,9h,12h")) == "3h..12h/3h"
    assert [str(lead) for lead in parse_leads("3h..12h/3h")] == ["3h", "6h", "9h", "12h"]


@pytest.mark.parametrize("text", ["12h..3h/3h", "1h..12h/5h", "1h..2h/0h", "0s..9d/1s"])
def test_ranges_that_do_not_close_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_leads(text)


@given(st.integers(1, 10**5), st.integers(0, 100))
def test_steps_divide_their_multiples(step: int, count: int) -> None:
    one = Duration(step)
    assert one.divides(one * count)
    assert one.steps_in(one * count) == count
