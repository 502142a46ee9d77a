from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from wxreg.data import derived
from wxreg.errors import NotFound

mpcalc = pytest.importorskip("metpy.calc")
from metpy.units import units  # noqa: E402

DRAW = np.random.default_rng(0)
U, V = DRAW.normal(0, 15, (2, 500))
CAPE = DRAW.gamma(1, 1200, 500)
HELICITY = DRAW.normal(80, 150, 500)
T = DRAW.uniform(255, 312, 500)
TD = T - DRAW.gamma(2, 4, 500)
P = DRAW.uniform(75_000, 102_000, 500)


def plain(quantity, unit: str) -> np.ndarray:
    return np.asarray(quantity.to(unit).magnitude)


def test_wind():
    u, v = U * units("m/s"), V * units("m/s")
    assert np.allclose(derived.wind_speed(U, V), plain(mpcalc.wind_speed(u, v), "m/s"))
    assert np.allclose(
        derived.wind_direction(U, V), plain(mpcalc.wind_direction(u, v), "degree") % 360
    )
    assert derived.wind_direction(np.array([0.0]), np.array([-5.0])) == 0


def test_bulk_shear_and_what_follows_from_it():
    """HRRR gives the vector difference over the layer that MetPy takes from a profile."""
    pressure, height = [1000.0, 480.0] * units.hPa, [0.0, 6000.0] * units.m
    for du, dv, cape in ((18.0, -4.0, 2500.0), (-3.0, 9.5, 400.0)):
        u, v = [2.0, 2.0 + du] * units("m/s"), [-1.0, -1.0 + dv] * units("m/s")
        found = mpcalc.bulk_shear(pressure, u, v, height=height, depth=6000 * units.m)
        shear = float(mpcalc.wind_speed(*found).to("m/s").magnitude)
        assert derived.bulk_shear(du, dv) == pytest.approx(shear)
        richardson = derived.bulk_richardson_number(np.array([cape]), np.array([du]), dv)
        assert richardson[0] == pytest.approx(cape / (0.5 * shear**2))


def test_humidity():
    expected = mpcalc.relative_humidity_from_dewpoint(T * units.K, TD * units.K, phase="liquid")
    assert np.allclose(derived.relative_humidity(T, TD), plain(expected, "percent"), rtol=1e-4)


def test_composites():
    shear = np.hypot(U, V)
    scp = mpcalc.supercell_composite(
        CAPE * units("J/kg"), HELICITY * units("m^2/s^2"), shear * units("m/s")
    )
    assert np.allclose(derived.supercell_composite(CAPE, HELICITY, U, V), plain(scp, ""))
    lcl = DRAW.uniform(200, 3000, 500)
    stp = mpcalc.significant_tornado(
        CAPE * units("J/kg"), lcl * units.m, HELICITY * units("m^2/s^2"), shear * units("m/s")
    )
    assert np.allclose(derived.significant_tornado(CAPE, lcl, HELICITY, U, V), plain(stp, ""))


def test_lifting_condensation_level():
    pressure, temperature = mpcalc.lcl(P * units.Pa, T * units.K, TD * units.K)
    height = (T - plain(temperature, "K")) * 1004.6662 / 9.80665
    assert np.abs(derived.lifting_condensation_level(T, TD, P) - height).max() < 40
    assert derived.lifting_condensation_level(290.0, 290.0, 1e5) == pytest.approx(0, abs=1e-6)
    assert plain(pressure, "Pa").min() > 0


def test_hand_checked_values():
    assert derived.energy_helicity_index(2000.0, 160.0) == 2
    assert derived.bulk_richardson_number(1000.0, 10.0, 0.0) == 20
    assert np.isnan(derived.bulk_richardson_number(np.array([1000.0]), np.zeros(1), np.zeros(1)))
    assert derived.geopotential_of_height(1000.0) == pytest.approx(9806.65)
    levels = derived.reflectivity_on_levels(20.0, 50.0, np.array([0.0, 1300, 2800, 9000]), 300.0)
    assert levels.tolist() == [20, 20, 35, 50]


@pytest.mark.parametrize("name", sorted(derived.POINTWISE))
def test_a_missing_input_makes_a_missing_result(name):
    count = derived.POINTWISE[name].__code__.co_argcount
    for gone in range(count):
        inputs = [np.array([280.0, 281.0], np.float32) for _ in range(count)]
        inputs[gone][1] = np.nan
        found = derived.POINTWISE[name](*inputs)
        assert np.isfinite(found[0]) and np.isnan(found[1]), gone


@pytest.mark.parametrize("name", sorted(derived.WINDOWED))
def test_a_missing_step_makes_a_missing_window(name):
    values = np.ones((3, 2), np.float32)
    values[1, 1] = np.nan
    found = derived.WINDOWED[name](values)
    assert np.isfinite(found[0]) and np.isnan(found[1])


def test_xarray_objects_stay_what_they_are():
    u, v = (xr.DataArray(part, dims="x") for part in (U, V))
    assert isinstance(derived.wind_speed(u, v), xr.DataArray)
    got = derived.supercell_composite(
        xr.DataArray(CAPE, dims="x"), xr.DataArray(HELICITY, dims="x"), u, v
    )
    assert np.allclose(got.values, derived.supercell_composite(CAPE, HELICITY, U, V))


def test_every_formula_of_the_lexicon_is_here():
    yaml = pytest.importorskip("yaml")
    lexicon = Path(__file__).parents[2] / "catalog/lexicon.yaml"
    entries = yaml.safe_load(lexicon.read_text(encoding="utf-8"))["variables"]
    wanted = [entry["derived"] for entry in entries if "derived" in entry]
    assert len(wanted) > 10
    for one in wanted:
        function = derived.formula(one["formula"])
        count = 1 if one["formula"] in derived.WINDOWED else len(one["inputs"])
        assert function.__code__.co_argcount == count
    with pytest.raises(NotFound, match="wind_sped"):
        derived.formula("wind_sped")
