"""How our variables are called inside Aurora, and in which units it wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from wxreg.models.forecaster import Channel

GRAVITY: Final = 9.80665

SURFACE: Final = MappingProxyType({"t2m": "2t", "u10": "10u", "v10": "10v", "msl": "msl"})
"""Names that Aurora was pretrained with; any other variable keeps its own name."""

ATMOSPHERE: Final = MappingProxyType({"gh": "z"})
STATIC: Final = MappingProxyType({"orog": "z", "z_surface": "z", "lsm": "lsm", "slt": "slt"})
FACTORS: Final = MappingProxyType({"gh": GRAVITY, "orog": GRAVITY})
"""Heights in metres become geopotential in m²/s²."""


def factor(channel: Channel) -> float:
    """What our value is multiplied by to be Aurora's."""
    return FACTORS.get(channel.variable, 1.0)


@dataclass(frozen=True)
class Layout:
    """Which channel goes to which variable of an Aurora batch."""

    channels: tuple[Channel, ...]
    surface: tuple[tuple[str, int], ...]
    """Aurora's name and our channel number."""
    atmosphere: tuple[tuple[str, tuple[int, ...]], ...]
    """Aurora's name and our channel numbers, one for each level."""
    levels: tuple[float, ...]

    @property
    def surface_names(self) -> tuple[str, ...]:
        """The surface variables in Aurora's order."""
        return tuple(name for name, _ in self.surface)

    @property
    def atmosphere_names(self) -> tuple[str, ...]:
        """The variables on levels in Aurora's order."""
        return tuple(name for name, _ in self.atmosphere)


def lay_out(channels: Sequence[Channel]) -> Layout:
    """Sort channels into surface variables and complete columns of levels.

    A variable on levels is a column when it has every level that any variable has; one that
    has only some of them is carried as surface variables, one for each level.
    """
    levels = tuple(sorted({c.level for c in channels if c.level is not None}))
    columns: dict[str, dict[float, int]] = {}
    for place, channel in enumerate(channels):
        if channel.level is not None:
            columns.setdefault(channel.variable, {})[channel.level] = place
    whole = {name: places for name, places in columns.items() if len(places) == len(levels)}
    surface = [
        (SURFACE.get(c.variable, c.variable) if c.level is None else _flat_name(c), place)
        for place, c in enumerate(channels)
        if c.level is None or c.variable not in whole
    ]
    atmosphere = [
        (ATMOSPHERE.get(name, name), tuple(places[level] for level in levels))
        for name, places in whole.items()
    ]
    return Layout(tuple(channels), tuple(surface), tuple(atmosphere), levels)


def _flat_name(channel: Channel) -> str:
    """A state-dict key may hold no dot and an Aurora variable no ``@``."""
    return channel.name.replace("@", "_at_").replace(".", "_")
