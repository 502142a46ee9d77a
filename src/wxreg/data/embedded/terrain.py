"""The ground of the embedded world: a slope, ridges, hills and two lakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wxreg.data.embedded.clock import Floats

GROUND_SEED = 20231
HILLS = 28
LAKES = ((18.0, -22.0, 17.0, 11.0), (-310.0, 140.0, 42.0, 26.0), (300.0, -120.0, 34.0, 40.0))
"""Centre x, y and half-axes, in km of the world plane."""


@dataclass(frozen=True)
class Ground:
    """Height in metres, its slope in metres per kilometre, and the share of land, at points."""

    height: Floats
    relief: Floats
    slope_x: Floats
    slope_y: Floats
    land: Floats


def ground(x: Floats, y: Floats) -> Ground:
    """Return the ground at world points (km)."""
    step = 1.0
    relief = _hills(x, y) * _ruggedness(x, y)
    return Ground(
        height=_height(x, y),
        relief=relief,
        slope_x=(_height(x + step, y) - _height(x - step, y)) / (2 * step),
        slope_y=(_height(x, y + step) - _height(x, y - step)) / (2 * step),
        land=_land(x, y),
    )


def _height(x: Floats, y: Floats) -> Floats:
    plains = 1450.0 - 0.75 * x + 0.1 * y
    range_ = 750.0 * np.exp(-(((x + 150.0 + 25.0 * np.sin(y / 90.0)) / 75.0) ** 2))
    divide = 320.0 * np.exp(-(((y - 25.0) / 32.0) ** 2) - ((x - 10.0) / 150.0) ** 2)
    mesa = 260.0 * np.exp(-(((x - 260.0) / 60.0) ** 2) - ((y + 30.0) / 110.0) ** 2)
    bumps = _hills(x, y) * _ruggedness(x, y)
    land = _land(x, y)
    return np.asarray(plains + range_ + divide + mesa + bumps * land, dtype=np.float64)


def _ruggedness(x: Floats, y: Floats) -> Floats:
    """Return the amplitude of the hills in metres: small on the plains, large in the range."""
    mountain = np.exp(-(((x + 150.0) / 120.0) ** 2))
    divide = np.exp(-(((y - 25.0) / 60.0) ** 2) - ((x - 10.0) / 170.0) ** 2)
    return np.asarray(55.0 + 150.0 * mountain + 70.0 * divide)


def _hills(x: Floats, y: Floats) -> Floats:
    """Return a sum of plane waves of 15 to 90 km with variance one."""
    draw = np.random.Generator(np.random.Philox(GROUND_SEED))
    lengths = np.geomspace(15.0, 90.0, HILLS)
    angles = draw.uniform(0.0, np.pi, HILLS)
    phases = draw.uniform(0.0, 2 * np.pi, HILLS)
    weights = lengths**0.6
    weights = weights / np.sqrt(0.5 * np.sum(weights**2))
    total = np.zeros(np.broadcast(x, y).shape)
    for length, angle, phase, weight in zip(lengths, angles, phases, weights, strict=True):
        along = x * np.cos(angle) + y * np.sin(angle)
        total += weight * np.cos(2 * np.pi * along / length + phase)
    return total


def _land(x: Floats, y: Floats) -> Floats:
    """Return 1 on land and 0 on water, with a shore of a few kilometres."""
    land = np.ones(np.broadcast(x, y).shape)
    for cx, cy, ax, ay in LAKES:
        radius = np.sqrt(((x - cx) / ax) ** 2 + ((y - cy) / ay) ** 2)
        land *= 1.0 / (1.0 + np.exp(-(radius - 1.0) * min(ax, ay) / 1.2))
    return land
