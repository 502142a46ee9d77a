"""Bins: overlapping regions and masks as disjoint atoms, so that one pass serves them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from wxreg.scores.states import State


@dataclass(frozen=True, eq=False)
class Bins:
    """A map from point to atom, and the atoms that make up each named bin.

    Points with atom -1 are in no bin and are not scored.  Two regions that overlap, or a
    region crossed with a convective mask, are unions of atoms: states are kept per atom
    (their leading axis) and pooled per bin afterwards.
    """

    index: NDArray[np.int32]
    atoms: Mapping[str, tuple[int, ...]]
    count: int

    @classmethod
    def whole(cls, shape: tuple[int, ...], name: str = "all") -> Bins:
        """One bin with every point."""
        return cls(np.zeros(shape, np.int32), MappingProxyType({name: (0,)}), 1)

    @classmethod
    def from_masks(cls, masks: Mapping[str, NDArray[np.bool_]]) -> Bins:
        """Bins that may overlap.

        All `2**n` combinations are numbered, present or not, so that states of different
        days (whose convective masks differ) share one layout.  At most 10 masks.
        """
        if len(masks) > 10:
            raise ValueError(f"{len(masks)} masks; at most 10 may overlap in one pass")
        code = np.zeros(next(iter(masks.values())).shape, np.int32)
        for bit, mask in enumerate(masks.values()):
            code += mask.astype(np.int32) << bit
        total = (1 << len(masks)) - 1
        atoms = {
            name: tuple(atom - 1 for atom in range(1, total + 1) if atom >> bit & 1)
            for bit, name in enumerate(masks)
        }
        return cls(code - 1, MappingProxyType(atoms), total)

    def rows(self, band: slice) -> Bins:
        """The same bins on some rows only."""
        return Bins(self.index[band], self.atoms, self.count)

    def pool(self, state: State, name: str) -> State:
        """The state of one named bin, without the atom axis."""
        return state.pool(self.atoms[name])


def by_atom(bins: Bins, update: Callable[[NDArray[np.bool_]], State]) -> State:
    """The states of the points of each atom, stacked; an atom without points has the zero.

    `update` is given the points of one atom.  For statistics whose kernels know no bins.
    """
    found = {int(atom): update(bins.index == atom) for atom in np.unique(bins.index) if atom >= 0}
    first = next(iter(found.values()))
    zero = State({name: np.zeros_like(values) for name, values in first.arrays.items()})
    each = [found.get(atom, zero) for atom in range(bins.count)]
    return State({name: np.stack([state[name] for state in each]) for name in first.arrays})
