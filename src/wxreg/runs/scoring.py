"""From one forecast field and its truth to states, for every metric of a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.scoring_statistics import (
    BUILDERS,
    ENSEMBLE_BUILDERS,
    Domain,
    constraint_of,
    windows_of,
)
from wxreg.scores.binning import Bins
from wxreg.scores.catalogue import METRICS
from wxreg.scores.ensemble import EnsembleScores
from wxreg.scores.events import Event
from wxreg.scores.members import MemberScores
from wxreg.scores.multivariate import vector_state
from wxreg.scores.states import State, merge_all
from wxreg.specs.protocol import Protocol
from wxreg.specs.units import conversion
from wxreg.specs.variables import Variable

Field = NDArray[np.floating[Any]]
Read = Callable[[str], Field]
"""Gives the forecast ``(members, y, x)`` or the truth ``(y, x)`` of a channel."""

POINTWISE: Final = ("members", "ensemble")
"""Statistics whose states have a leading axis of atoms of bins."""
_ORIGINS: Final = {"K": 273.15, "Pa": 100_000.0}
_NEVER: Final = np.float32(-3e38)
"""A value that reaches no threshold."""


@dataclass(frozen=True)
class Scoring:
    """What is computed of each pair of fields."""

    protocol: Protocol
    channels: tuple[str, ...]
    domain: Domain
    lexicon: Mapping[str, Variable]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    area: NDArray[np.float64] | None = None
    """The weight of each cell; none for equal weights."""

    @cached_property
    def wanted(self) -> dict[str, tuple[str, ...]]:
        """The channels that each statistic of the protocol is needed for."""
        found: dict[str, list[str]] = {}
        for metric in self.protocol.metrics:
            known = METRICS[metric.id]
            names = found.setdefault(known.statistic, [])
            variables = metric.variables or self.protocol.variables
            names += [one for one in self.channels if one.partition("@")[0] in variables]
        return {statistic: tuple(dict.fromkeys(names)) for statistic, names in found.items()}

    @cached_property
    def masks(self) -> dict[str, Event]:
        """The conditions on the truth that choose cells."""
        return {mask.name: Event.parse(mask.where) for mask in self.protocol.masks}

    @cached_property
    def events(self) -> dict[str, Event]:
        """The declared events over several variables."""
        return {name: Event.parse(text) for name, text in self.protocol.events.items()}

    @cached_property
    def constraint_ids(self) -> tuple[str, ...]:
        """The constraints by the name that their rows carry."""
        return tuple(constraint_of(declared).id for declared in self.protocol.constraints)

    @property
    def windows(self) -> tuple[int, ...]:
        """The neighbourhood widths of the protocol."""
        return windows_of(self.protocol)

    @property
    def longest_km(self) -> float:
        """The longest side of the scored cells: ring ``k`` of a spectrum has this over ``k``."""
        rows, columns = self.lat[self._inside].shape
        return float(max(rows * self.domain.dy, columns * self.domain.dx))

    def thresholds(self, channel: str) -> tuple[float, ...]:
        """The thresholds of a channel in its canonical units, in the order of the protocol."""
        variable = channel.partition("@")[0]
        found: list[float] = []
        for threshold in self.protocol.thresholds:
            if threshold.variable != variable:
                continue
            scale, offset = conversion(threshold.units, self.lexicon[variable].units)
            exact = [scale * value + offset for value in threshold.values]
            found += exact if threshold.test == ">=" else map(_just_above, exact)
        return tuple(found)

    def states(self, forecast: Read, truth: Read) -> Iterator[tuple[str, str, State]]:
        """``(statistic, name, state)`` of one init and lead; one channel is read at a time."""
        bins = self.bins(truth)
        for channel in dict.fromkeys(name for names in self.wanted.values() for name in names):
            made, real = self._inner(forecast(channel)), self._inner(truth(channel))
            for statistic, names in self.wanted.items():
                if channel not in names:
                    continue
                if statistic in POINTWISE:
                    yield statistic, channel, self._pointwise(statistic, channel, made, real, bins)
                elif statistic in ENSEMBLE_BUILDERS and len(made) > 1:
                    update = ENSEMBLE_BUILDERS[statistic](self.protocol)
                    yield statistic, channel, update(made, real)
                elif statistic in BUILDERS:
                    yield statistic, channel, self._paired(statistic, channel, made, real)
        yield from self._joint(forecast, truth)

    def bins(self, truth: Read) -> Bins:
        """All cells, the cells of each mask and of its complement, and each region."""
        shape = self.lat[self._inside].shape
        masks: dict[str, NDArray[np.bool_]] = {"all": np.ones(shape, bool)}
        for name, event in self.masks.items():
            fields = {one: self._inner(truth(one)) for one in event.variables}
            present, happens = event.present(fields), event.happens(fields)
            masks |= {name: happens, f"not-{name}": present & ~happens}
        lat, lon = self.lat[self._inside], self.lon[self._inside]
        for region in self.protocol.regions:
            east = (lon + 180) % 360 - 180
            masks[region.name] = (
                (lat >= region.south) & (lat <= region.north)
                & (east >= region.west) & (east <= region.east)
            )  # fmt: skip
        return Bins.from_masks(masks)

    @property
    def bin_atoms(self) -> Mapping[str, tuple[int, ...]]:
        """The atoms of each named bin, whatever the masks of a time are."""
        names = ["all"]
        for name in self.masks:
            names += [name, f"not-{name}"]
        names += [region.name for region in self.protocol.regions]
        return Bins.from_masks({name: np.zeros((1, 1), bool) for name in names}).atoms

    @property
    def _inside(self) -> tuple[slice, slice]:
        border = self.protocol.border
        cut = slice(border, -border) if border else slice(None)
        return cut, cut

    def _inner(self, field: Field) -> Field:
        return field[(..., *self._inside)]

    def _pointwise(
        self, statistic: str, channel: str, made: Field, real: Field, bins: Bins
    ) -> State:
        thresholds = self.thresholds(channel)
        area = None if self.area is None else self.area[self._inside]
        if statistic == "ensemble":
            engine = self.protocol.engine
            return EnsembleScores(thresholds, engine).update(made, real, area, bins)
        units = self.lexicon[channel.partition("@")[0]].units
        scores = MemberScores(thresholds, _ORIGINS.get(units, 0.0))
        state = scores.update(made, real, area, bins)
        if self.protocol.missing == "exclude" or not thresholds:
            return state
        counts = scores.update(_no_event(made), _no_event(real), area, bins)
        names = ("contingency", "weighted_contingency")
        return State({**state.arrays, **{name: counts[name] for name in names}})

    def _paired(self, statistic: str, channel: str, made: Field, real: Field) -> State:
        if self.protocol.missing == "non-event" and statistic == "fss":
            made, real = _no_event(made), _no_event(real)
        update = BUILDERS[statistic](self.domain, self.protocol, self.thresholds(channel))
        return merge_all(update(member, real) for member in made)

    def _joint(self, forecast: Read, truth: Read) -> Iterator[tuple[str, str, State]]:
        """Vectors, events and constraints, which look at several variables together."""
        yield from self._vectors(forecast, truth)
        ids = {METRICS[metric.id].statistic for metric in self.protocol.metrics}
        if "event" in ids:
            for name, event in self.events.items():
                real = {one: self._inner(truth(one)) for one in event.variables}
                made = {one: self._inner(forecast(one)) for one in event.variables}
                each = [
                    event.update({one: made[one][m] for one in made}, real)
                    for m in range(len(next(iter(made.values()))))
                ]
                yield "event", name, merge_all(each)
        if "constraint" in ids:
            for declared in self.protocol.constraints:
                constraint = constraint_of(declared)
                made = {one: self._inner(forecast(one)) for one in constraint.variables}
                yield "constraint", constraint.id, constraint.update(made)

    def _vectors(self, forecast: Read, truth: Read) -> Iterator[tuple[str, str, State]]:
        """Both components of each declared vector, under the name of its first."""
        for channel in self.wanted.get("vector", ()):
            name, at, level = channel.partition("@")
            variable = self.lexicon[name]
            other = f"{variable.partner}{at}{level}"
            if variable.vector != "x" or other not in self.channels:
                continue
            real = self._inner(truth(channel)), self._inner(truth(other))
            made = self._inner(forecast(channel)), self._inner(forecast(other))
            members = zip(*made, strict=True)
            yield "vector", channel, merge_all(vector_state(pair, real) for pair in members)


def _just_above(value: float) -> float:
    """The next float32: reaching it is exceeding the value."""
    return float(np.nextafter(np.float32(value), np.float32(np.inf)))


def _no_event(field: Field) -> Field:
    return np.where(np.isfinite(field), field, _NEVER).astype(np.float32)
