"""What a protocol asks of each pair of fields: variables, cells, masks, thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.scoring.kinds import SINGLE
from wxreg.runs.scoring.settings import declared
from wxreg.runs.scoring.statistics import NEED_THRESHOLDS, Domain, constraint_of
from wxreg.scores.binning import Bins
from wxreg.scores.catalogue import METRICS
from wxreg.scores.events import Event
from wxreg.scores.metrics import Declared
from wxreg.specs.protocol import Protocol
from wxreg.specs.units import conversion
from wxreg.specs.variables import Variable

Field = NDArray[np.floating[Any]]
Read = Callable[[str], Any]
"""Gives the forecast ``(members, y, x)``, perhaps unread, or the truth ``(y, x)``."""


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
            names += [
                one for one in self.channels
                if one.partition("@")[0] in variables
                and (known.statistic not in NEED_THRESHOLDS or self.thresholds(one))
            ]  # fmt: skip
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
    def longest_km(self) -> float:
        """The longest side of the scored cells: ring ``k`` of a spectrum has this over ``k``."""
        rows, columns = self.lat[self.inside].shape
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

    @cached_property
    def paired(self) -> dict[str, tuple[str, ...]]:
        """The channels of each statistic of one field and its truth."""
        return {
            statistic: names for statistic, names in self.wanted.items()
            if statistic in SINGLE and (self.protocol.pairing == "time")
        }  # fmt: skip

    def bins(self, truth: Read) -> Bins:
        """All cells, the cells of each mask and of its complement, and each region."""
        shape = self.lat[self.inside].shape
        masks: dict[str, NDArray[np.bool_]] = {"all": np.ones(shape, bool)}
        for name, event in self.masks.items():
            fields = {one: self.cells(truth(one)) for one in event.variables}
            present, happens = event.present(fields), event.happens(fields)
            masks |= {name: happens, f"not-{name}": present & ~happens}
        lat, lon = self.lat[self.inside], self.lon[self.inside]
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
    def inside(self) -> tuple[slice, slice]:
        """The rows and columns that are scored."""
        border = self.protocol.border
        cut = slice(border, -border) if border else slice(None)
        return cut, cut

    def cells(self, field: Field) -> Field:
        """The cells of a field that are scored."""
        return field[(..., *self.inside)]

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """The weight of each scored cell; none for equal weights."""
        return None if self.area is None else self.area[self.inside]

    def variable(self, channel: str) -> Variable:
        """The lexicon's entry of a channel."""
        return self.lexicon[channel.partition("@")[0]]

    def declared(self, statistic: str, name: str) -> Declared:
        """What the finishing steps of a statistic are given for a channel."""
        return declared(self.protocol, statistic, self.lexicon.get(name.partition("@")[0]))


def _just_above(value: float) -> float:
    """The next float32: reaching it is exceeding the value."""
    return float(np.nextafter(np.float32(value), np.float32(np.inf)))
