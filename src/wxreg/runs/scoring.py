"""From one forecast field and its truth to states, for every metric of a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.scoring_bands import Members, bands, held
from wxreg.runs.scoring_cellwise import CELLWISE, ENSEMBLE_ONLY
from wxreg.runs.scoring_joint import JOINT, joint_states
from wxreg.runs.scoring_pairs import FieldPair, cells_state, no_event
from wxreg.runs.scoring_settings import declared
from wxreg.runs.scoring_statistics import (
    BUILDERS,
    NEED_THRESHOLDS,
    Domain,
    constraint_of,
    field_vectors,
)
from wxreg.scores.binning import Bins
from wxreg.scores.catalogue import METRICS
from wxreg.scores.events import Event
from wxreg.scores.metrics import Declared
from wxreg.scores.patterns import pattern_state
from wxreg.scores.spread_error import mean_and_spread
from wxreg.scores.states import State, merge_all
from wxreg.specs.protocol import Protocol
from wxreg.specs.units import conversion
from wxreg.specs.variables import Variable

Field = NDArray[np.floating[Any]]
Read = Callable[[str], Any]
"""Gives the forecast ``(members, y, x)``, perhaps unread, or the truth ``(y, x)``."""

PER_MEMBER: Final = frozenset({"members", "mean", "anomaly", "mean_anomaly"})
"""Statistics whose states have an axis of members after that of atoms."""
BINNED: Final = PER_MEMBER | {"ensemble", "vector", "event", "loglik_parametric", *CELLWISE}
"""Statistics whose states have a leading axis of atoms of bins."""
ANOMALIES: Final = frozenset({"anomaly", "mean_anomaly"})
"""Statistics that need a climatology."""
SINGLE: Final = frozenset(
    {*PER_MEMBER, "ensemble", "pattern", "mean_pattern", "field_vector", *CELLWISE, *BUILDERS}
)
"""Statistics of one field of one channel."""
COMPUTED: Final = SINGLE | JOINT | {"initiation", "climate", "loglik_parametric"}
"""Every statistic that ``reg evaluate`` computes."""


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

    def states(
        self, forecast: Read, truth: Read, climate: Read | None = None, coarse: Read | None = None
    ) -> Iterator[tuple[str, str, State]]:
        """``(statistic, name, state)`` of one init and lead; one channel is read at a time.

        ``climate`` gives the climatology that anomalies are taken from, ``coarse`` what the
        model was given; each is needed by the metrics that say so.
        """
        bins = self.bins(truth)
        paired = self.paired
        for channel in dict.fromkeys(name for names in paired.values() for name in names):
            usual = None if climate is None else self._inner(climate(channel))
            made, real = held(forecast(channel)), self._inner(truth(channel))
            yield from self._binned(channel, made, real, usual, bins)
            for statistic, names in paired.items():
                if channel in names and statistic not in BINNED:
                    yield statistic, channel, self._whole(statistic, channel, made, real)
        yield from joint_states(self, forecast, truth, coarse, bins)

    def _binned(
        self, channel: str, made: Members, real: Field, usual: Field | None, bins: Bins
    ) -> Iterator[tuple[str, str, State]]:
        """Everything that is scored cell by cell, band by band."""
        wanted = [
            statistic for statistic, names in self.paired.items()
            if statistic in BINNED and channel in names
            and not (statistic in ENSEMBLE_ONLY and len(made) < 2)
        ]  # fmt: skip
        states = dict.fromkeys(wanted, State())
        rows, columns = self._inside
        for band in bands((len(made), *real.shape)) if wanted else ():
            stored = slice(band.start + (rows.start or 0), band.stop + (rows.start or 0))
            field = FieldPair(
                channel=channel,
                made=made[:, stored, columns],
                real=real[band],
                usual=None if usual is None else usual[band],
                bins=bins.rows(band),
                weights=None if self.weights is None else self.weights[band],
            )
            for statistic in wanted:
                states[statistic] = states[statistic].merge(cells_state(self, statistic, field))
            del field  # before the next is read
        yield from ((statistic, channel, state) for statistic, state in states.items())

    @cached_property
    def paired(self) -> dict[str, tuple[str, ...]]:
        """The channels of each statistic of one field and its truth."""
        return {
            statistic: names for statistic, names in self.wanted.items()
            if statistic in SINGLE and (self.protocol.pairing == "time")
        }  # fmt: skip

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

    def cells(self, field: Field) -> Field:
        """The cells of a field that are scored."""
        return self._inner(field)

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """The weight of each scored cell; none for equal weights."""
        return None if self.area is None else self.area[self._inside]

    def variable(self, channel: str) -> Variable:
        """The lexicon's entry of a channel."""
        return self.lexicon[channel.partition("@")[0]]

    def declared(self, statistic: str, name: str) -> Declared:
        """What the finishing steps of a statistic are given for a channel."""
        return declared(self.protocol, statistic, self.lexicon.get(name.partition("@")[0]))

    def _whole(self, statistic: str, channel: str, made: Members, real: Field) -> State:
        """What needs whole fields, one member at a time where members are scored by themselves."""
        if statistic == "field_vector":
            return field_vectors(self.protocol).update(self._inner(made[...]), real)
        if statistic == "mean_pattern":
            mean, _ = mean_and_spread(self._inner(made[...]))
            return pattern_state(mean.astype(real.dtype), real, self.weights)
        members: Iterator[Field] = (self._inner(made[member]) for member in range(len(made)))
        if statistic == "pattern":
            return merge_all(pattern_state(member, real, self.weights) for member in members)
        if self.protocol.missing == "non-event" and statistic in ("fss", "neighbourhood"):
            members, real = map(no_event, members), no_event(real)
        update = BUILDERS[statistic](self.domain, self.protocol, self.thresholds(channel))
        return merge_all(update(member, real) for member in members)


def _just_above(value: float) -> float:
    """The next float32: reaching it is exceeding the value."""
    return float(np.nextafter(np.float32(value), np.float32(np.inf)))
