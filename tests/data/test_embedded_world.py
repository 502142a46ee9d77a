"""The embedded world as a world: lawful weather, the same whatever the order of asking."""

from __future__ import annotations

import numpy as np
import pytest

from wxreg.data.embedded.clock import hours_of
from wxreg.data.embedded.hrrr import HrrrWriter, hrrr_place
from wxreg.data.embedded.places import HRRR_PROJ, projected_place
from wxreg.data.embedded.storms import moment
from wxreg.data.embedded.weather import World

EVENING = np.datetime64("2023-06-07T22", "h")


@pytest.fixture(scope="module")
def writer() -> HrrrWriter:
    return HrrrWriter(World(), hrrr_place())


def test_the_crop_lies_on_the_true_hrrr_grid() -> None:
    whole = projected_place(HRRR_PROJ, -2_697_520.1425, -1_587_306.1526, 3000.0, 2, 2)
    assert whole.lat[0, 0] == pytest.approx(21.138123, abs=1e-5)
    assert whole.lon[0, 0] % 360 == pytest.approx(237.280472, abs=1e-5)


def test_dewpoint_stays_below_temperature_and_signs_hold(writer: HrrrWriter) -> None:
    fields = writer.fields(EVENING, "sfcf00")
    assert np.all(fields["d2m"] < fields["t2m"])
    assert np.all(fields["cape_sb"] >= 0) and np.all(fields["cin_sb"] <= 0)
    assert fields["refc"].min() == -10.0 and fields["refc"].max() > 20.0
    assert np.all(np.diff([fields["sp"].mean(), fields["mslma"].mean()]) > 0)


def test_a_time_does_not_depend_on_which_others_were_asked_for() -> None:
    hours = hours_of(np.array([EVENING]))
    place = hrrr_place()
    alone, after = World(), World()
    after.cells(hours - 300.0)
    first = alone.storm_fields(place, alone.cells(hours), float(hours[0]))
    second = after.storm_fields(place, after.cells(hours - np.array([0.0])), float(hours[0]))
    np.testing.assert_array_equal(first.rain, second.rain)


def test_storms_are_the_same_on_a_finer_grid() -> None:
    world, hour = World(), float(hours_of(np.asarray(EVENING)))
    cells = world.cells(np.array([hour]))
    coarse = projected_place(HRRR_PROJ, -600_000.0, 70_000.0, 6000.0, 20, 20)
    fine = projected_place(HRRR_PROJ, -600_000.0, 70_000.0, 3000.0, 39, 39)
    np.testing.assert_allclose(
        world.storm_rain(fine, cells, hour)[::2, ::2],
        world.storm_rain(coarse, cells, hour),
        atol=0.02,
    )


def test_cells_grow_move_and_die() -> None:
    world, hour = World(), float(hours_of(np.asarray(EVENING)))
    cells = world.cells(np.array([hour]))
    young = cells.keep((cells.born < hour - 0.1) & (cells.born > hour - 0.5))
    assert len(young) > 10
    now, later, gone = moment(young, hour), moment(young, hour + 0.25), moment(young, hour + 3.5)
    assert np.median(later.strength - now.strength) > 0
    assert np.all(gone.strength == 0)
    speed = np.hypot(later.x - now.x, later.y - now.y) / 0.25 / 3.6
    assert 3.0 < np.median(speed) < 12.0
