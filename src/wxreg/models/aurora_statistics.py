"""Aurora's normalisation numbers: its own dictionaries are global, so ours hold only in a scope.

Surface and static variables are given to the constructor (``surf_stats``); variables on levels
can only be given through `aurora.normalisation`.  Inside :meth:`AuroraStatistics.in_force` those
hold ours, afterwards what was there before, so that models with different numbers coexist.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wxreg.errors import IntegrityError
from wxreg.models.aurora_names import STATIC, Layout, factor
from wxreg.models.aurora_timm import load_aurora
from wxreg.models.forecaster import Channel, ChannelStatistics
from wxreg.models.normalising import statistics_of

_GLOBAL_NUMBERS = threading.RLock()
Numbers = tuple[float, float]
"""A location and a scale."""


@dataclass(frozen=True)
class AuroraStatistics:
    """Locations and scales by Aurora's names."""

    surface: Mapping[str, Numbers]
    levels: Mapping[str, Numbers]

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Aurora normalises with these numbers inside, and with its former ones afterwards."""
        load_aurora()
        from aurora import normalisation

        with _GLOBAL_NUMBERS:
            tables = (normalisation.locations, normalisation.scales)
            before = [{key: table[key] for key in self.levels if key in table} for table in tables]
            try:
                for key, numbers in self.levels.items():
                    for table, number in zip(tables, numbers, strict=True):
                        table[key] = number
                yield
            finally:
                for table, former in zip(tables, before, strict=True):
                    for key in self.levels:
                        table.pop(key, None)
                    table.update(former)

    def verify(self, network: Any) -> None:
        """Read the numbers back from the network and the library; they must be ours."""
        from aurora import normalisation

        with self.in_force():
            held = {
                **{f"surface {key}": numbers for key, numbers in network.surf_stats.items()},
                **{
                    f"level {key}": (normalisation.locations[key], normalisation.scales[key])
                    for key in self.levels
                },
            }
        declared = {
            **{f"surface {key}": numbers for key, numbers in self.surface.items()},
            **{f"level {key}": numbers for key, numbers in self.levels.items()},
        }
        if held != declared:
            wrong = sorted(k for k in {*held, *declared} if held.get(k) != declared.get(k))
            raise IntegrityError(
                "REG-541",
                f"Aurora holds other statistics than the model for {', '.join(wrong)}",
                hint="something else in this process changed aurora.normalisation",
            )


def aurora_statistics(
    layout: Layout, statics: tuple[Channel, ...], statistics: Mapping[str, ChannelStatistics]
) -> AuroraStatistics:
    """The numbers of every channel, in Aurora's names and units."""
    from aurora.normalisation import level_to_str

    channels = layout.channels
    surface = {name: _numbers(channels[place], statistics) for name, place in layout.surface}
    for static in statics:
        name = STATIC.get(static.variable, static.variable)
        surface[name] = _numbers(static, statistics)
    levels = {
        f"{name}_{level_to_str(level)}": _numbers(channels[place], statistics)
        for name, places in layout.atmosphere
        for level, place in zip(layout.levels, places, strict=True)
    }
    return AuroraStatistics(surface, levels)


def _numbers(channel: Channel, statistics: Mapping[str, ChannelStatistics]) -> Numbers:
    numbers = statistics_of([channel], statistics)[0]
    return numbers.mean * factor(channel), numbers.std * factor(channel)
