"""Derived variables as pure functions of arrays, named as the lexicon's ``derived.formula``.

Inputs and results are in the lexicon's units; a missing input gives a missing result.  Every
function takes numpy arrays or xarray objects that broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from wxreg.ids import not_found

Array = Any
SEMANTICS: Final = 1
"""Raised, with ``PREPARE_SEMANTICS``, when a formula gives other values for the same inputs."""
GRAVITY: Final = 9.80665
_R_VAPOUR: Final = 461.52312
_CP_DRY: Final = 1004.6662


def wind_speed(u: Array, v: Array) -> Array:
    """Speed of a vector in m/s."""
    return np.hypot(u, v)


def wind_direction(u: Array, v: Array) -> Array:
    """Degrees clockwise from north that the wind comes from; 0 for calm."""
    angle = (np.degrees(np.arctan2(-u, -v))) % 360
    return angle + 0 * (u + v)


def bulk_shear(du: Array, dv: Array) -> Array:
    """Magnitude of the vector difference of wind over a layer, in m/s."""
    return np.hypot(du, dv)


def bulk_richardson_number(cape: Array, du: Array, dv: Array) -> Array:
    """CAPE over half the squared shear of the layer; missing without shear."""
    half_square = (du**2 + dv**2) / 2
    return cape / _where(half_square > 0, half_square, np.nan)


def energy_helicity_index(cape: Array, helicity: Array) -> Array:
    """CAPE times storm-relative helicity over 160,000 m⁴/s⁴."""
    return cape * helicity / 160_000


def supercell_composite(cape: Array, helicity: Array, du: Array, dv: Array) -> Array:
    """SCP of fixed layers (Thompson et al. 2004); shear counts from 10 m/s and fully at 20."""
    shear = np.hypot(du, dv)
    shear_term = _where(shear < 10, 0 * shear, np.minimum(shear, 20) / 20)
    return (cape / 1000) * (helicity / 50) * shear_term


def significant_tornado(cape: Array, lcl: Array, helicity: Array, du: Array, dv: Array) -> Array:
    """STP of fixed layers (Thompson et al. 2003, 2012): CAPE, LCL height, 0-1 km SRH, shear."""
    low_base = np.minimum(np.maximum((2000 - lcl) / 1000, 0), 1)
    shear = np.hypot(du, dv)
    shear_term = _where(shear < 12.5, 0 * shear, np.minimum(shear, 30) / 20)
    return (cape / 1500) * low_base * (helicity / 150) * shear_term


def vapour_pressure(dewpoint: Array) -> Array:
    """Saturation vapour pressure over water in Pa at a temperature in K (Ambaum 2020)."""
    latent_ratio = (4219.4 - 1860.078) / _R_VAPOUR
    latent = 2.50084e6
    cooled = latent - (4219.4 - 1860.078) * (dewpoint - 273.16)
    exponent = (latent / 273.16 - cooled / dewpoint) / _R_VAPOUR
    return 611.2 * (273.16 / dewpoint) ** latent_ratio * np.exp(exponent)


def relative_humidity(temperature: Array, dewpoint: Array) -> Array:
    """Relative humidity over water in percent."""
    return 100 * vapour_pressure(dewpoint) / vapour_pressure(temperature)


def lifting_condensation_level(temperature: Array, dewpoint: Array, pressure: Array) -> Array:
    """Height above ground in m at which surface air saturates (Bolton 1980, dry lapse rate)."""
    dry = np.minimum(dewpoint, temperature)
    cloud = 1 / (1 / (dry - 56) + np.log(temperature / dry) / 800) + 56
    return (temperature - cloud) * _CP_DRY / GRAVITY + 0 * pressure


def geopotential_of_height(height: Array) -> Array:
    """Geopotential in m²/s² of a height in m."""
    return height * GRAVITY


def reflectivity_on_levels(at_1km: Array, at_4km: Array, height: Array, ground: Array) -> Array:
    """Reflectivity at a height in m, linear between 1 and 4 km above ground, constant beyond."""
    share = np.minimum(np.maximum((height - ground - 1000) / 3000, 0), 1)
    return at_1km + share * (at_4km - at_1km)


def convective_mask(reflectivity: Array, cape: Array) -> Array:
    """1 where reflectivity exceeds 20 dBZ or CAPE 1000 J/kg, else 0."""
    found = (reflectivity > 20) | (cape > 1000)
    return found + 0.0 * (reflectivity + cape)


def running_sum(values: Array) -> Array:
    """Sum over the first axis: the buckets of one window."""
    return values.sum(axis=0)


def daily_sum(values: Array) -> Array:
    """Sum of the buckets of one day, over the first axis."""
    return values.sum(axis=0)


def daily_maximum(values: Array) -> Array:
    """Greatest value of one day, over the first axis."""
    return values.max(axis=0)


def daily_minimum(values: Array) -> Array:
    """Least value of one day, over the first axis."""
    return values.min(axis=0)


def daily_mean(values: Array) -> Array:
    """Mean of one day, over the first axis."""
    return values.mean(axis=0)


def _where(condition: Array, yes: Array, no: Array) -> Array:
    """``np.where`` that keeps an xarray object one."""
    return yes.where(condition, no) if hasattr(yes, "dims") else np.where(condition, yes, no)


POINTWISE: Final[Mapping[str, Callable[..., Array]]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            wind_speed,
            wind_direction,
            bulk_shear,
            bulk_richardson_number,
            energy_helicity_index,
            supercell_composite,
            significant_tornado,
            relative_humidity,
            lifting_condensation_level,
            geopotential_of_height,
            reflectivity_on_levels,
            convective_mask,
        )
    }
)
"""Formulas of values at one place and time."""

WINDOWED: Final[Mapping[str, Callable[[Array], Array]]] = MappingProxyType(
    {
        function.__name__: function
        for function in (running_sum, daily_sum, daily_maximum, daily_minimum, daily_mean)
    }
)
"""Formulas of all steps of one window, stacked along the first axis; none may be missing."""

DAILY: Final = frozenset({"daily_sum", "daily_maximum", "daily_minimum", "daily_mean"})
"""Those whose steps are UTC days."""


def formula(name: str) -> Callable[..., Array]:
    """The function of that name; ``NotFound`` lists the near ones."""
    known = {**POINTWISE, **WINDOWED}
    if name not in known:
        raise not_found("formula", name, known, code="REG-335")
    return known[name]
