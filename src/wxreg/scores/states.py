"""Mergeable states: what is kept of a field after scoring, and all that is needed later.

A state is a frozen mapping of names to int64 or float64 arrays.  Merging adds them (or, for
the names in `maxima`, takes the larger).  `State()` is the zero of every statistic: merging
is associative and commutative, to rounding, so a year may be scored in any order, in parts,
on many machines, saved, reloaded and merged later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import Incompatible

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class State:
    """A frozen mapping of names to arrays; the empty one is the zero."""

    arrays: Mapping[str, Array] = field(default_factory=dict)
    maxima: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        kept = {name: _kept(name, values) for name, values in sorted(self.arrays.items())}
        object.__setattr__(self, "arrays", MappingProxyType(kept))

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    @property
    def layout(self) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
        """Names, types and shapes: states merge only if these are equal."""
        return tuple((name, str(a.dtype), a.shape) for name, a in self.arrays.items())

    def merge(self, other: State) -> State:
        """Both states as one; refused if they are of different kinds."""
        if not self.arrays:
            return other
        if not other.arrays:
            return self
        if (self.layout, self.maxima) != (other.layout, other.maxima):
            raise Incompatible(
                "REG-450",
                f"states of different layout: {self.layout} and {other.layout}",
                hint="merge states of one statistic with equal members, thresholds and bins",
            )
        return State({name: self._join(name, other) for name in self.arrays}, self.maxima)

    def _join(self, name: str, other: State) -> Array:
        mine, theirs = self.arrays[name], other.arrays[name]
        return np.maximum(mine, theirs) if name in self.maxima else mine + theirs

    def pool(self, rows: Iterable[int]) -> State:
        """The sum over some rows of the leading (bin) axis, which is dropped."""
        at = list(rows)
        pooled: dict[str, Array] = {}
        for name, values in self.arrays.items():
            if name in self.maxima:
                pooled[name] = values[at].max(axis=0, initial=-np.inf)
            else:
                pooled[name] = values[at].sum(axis=0)
        return State(pooled, self.maxima)


def _kept(name: str, values: Array) -> Array:
    array = np.asarray(values)
    if array.dtype not in (np.int64, np.float64):
        raise TypeError(f"state array {name!r} is {array.dtype}; use int64 or float64")
    if array.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


def merge_all(states: Iterable[State]) -> State:
    """Every state as one; the zero for none."""
    total = State()
    for state in states:
        total = total.merge(state)
    return total


def save_states(path: Path, states: Mapping[str, State]) -> None:
    """Write named states into one Zarr group; states of equal layout share their arrays."""
    import zarr

    layouts: dict[object, list[str]] = {}
    for key, state in states.items():
        layouts.setdefault((state.layout, state.maxima), []).append(key)
    root = zarr.open_group(path, mode="w")
    root.attrs["wxreg"] = {"format": 1, "kind": "states"}
    for number, keys in enumerate(layouts.values()):
        first = states[keys[0]]
        group = root.create_group(f"layout-{number}")
        group.attrs["wxreg"] = {"keys": keys, "maxima": sorted(first.maxima)}
        for name in first.arrays:
            group.create_array(name, data=np.stack([states[key][name] for key in keys]))


def load_states(path: Path) -> dict[str, State]:
    """Read what `save_states` wrote."""
    import zarr

    states: dict[str, State] = {}
    for _, group in zarr.open_group(path, mode="r").groups():
        about: Any = group.attrs["wxreg"]
        stacked = {name: np.asarray(array[...]) for name, array in group.arrays()}
        for row, key in enumerate(about["keys"]):
            arrays = {name: values[row] for name, values in stacked.items()}
            states[key] = State(arrays, frozenset(about["maxima"]))
    return states
