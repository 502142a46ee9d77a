"""Moments and periods in every calendar."""

from __future__ import annotations

from datetime import datetime

import cftime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from wxreg.specs.timeaxis import Period, Splits, minutes_since_epoch, normal_moment

calendars = st.sampled_from(
    ["standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day"]
)


@given(
    calendars, st.integers(1600, 2400), st.integers(1, 12), st.integers(1, 28), st.integers(0, 23)
)
def test_differences_are_those_of_cftime(
    calendar: str, year: int, month: int, day: int, hour: int
) -> None:
    def minutes(y: int, m: int, d: int, h: int) -> float:
        date = cftime.datetime(y, m, d, h, calendar=calendar)
        return cftime.date2num(date, "minutes since 1700-01-01", calendar=calendar)

    ours = minutes_since_epoch(f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:00", calendar)
    start = minutes_since_epoch("1700-01-01T00:00", calendar)
    assert ours - start == minutes(year, month, day, hour)


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 1, 1)))
def test_text_sorts_as_time_does(moment: datetime) -> None:
    text = normal_moment(moment.strftime("%Y-%m-%dT%H:%M").rjust(16, "0"))
    assert (text < "2023-06-01T00:00") == (moment.replace(second=0) < datetime(2023, 6, 1))


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13-01", "2023-06-01T25", "2023/06/01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        normal_moment(text)


def period(start: str, end: str) -> dict[str, str]:
    return {"start": start, "end": end}


def test_a_period_ends_after_its_start() -> None:
    with pytest.raises(ValidationError):
        Period.model_validate(period("2023-01-02", "2023-01-01"))


def test_splits_keep_their_buffer() -> None:
    import json

    body = {
        "train": [period("2023-01-01", "2023-01-10")],
        "validation": [period("2023-01-10T06:00", "2023-01-12")],
        "test": [period("2023-01-13", "2023-01-15")],
        "buffer": "12h",
    }
    splits = Splits.model_validate_json(json.dumps(body))
    assert [(one, two) for one, _, two, _ in splits.too_near("standard")] == [
        ("train", "validation")
    ]
