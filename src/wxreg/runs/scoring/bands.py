"""Large fields in bands of rows, so that memory does not grow with the members.

What is scored cell by cell is scored band by band and merged; what needs a whole field takes
one member at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]

HELD_BYTES: Final = 96 << 20
"""Up to this size all members of a field are held at once."""
_CHUNK_ROWS: Final = 256
"""Bands end where chunks of a forecast end, so that each is decoded once."""


class Members(Protocol):
    """The members of a channel ``(M, Y, X)``: an array, or something read when indexed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Members, rows and columns."""
        ...

    def __len__(self) -> int:
        """How many members there are."""
        ...

    def __getitem__(self, index: Any, /) -> Field:
        """Some of the values."""
        ...


class StoredMembers:
    """Members that are read from a store when they are asked for."""

    def __init__(self, shape: tuple[int, ...], read: Callable[[tuple[Any, ...]], Field]) -> None:
        """``read`` is given an index of three axes."""
        self.shape = shape
        self._read = read

    def __len__(self) -> int:
        """How many members there are."""
        return self.shape[0]

    def __iter__(self) -> Iterator[Field]:
        """One member after the other."""
        return (self[member] for member in range(len(self)))

    def __getitem__(self, index: Any) -> Field:
        """Some of the values, as of an array."""
        given = index if isinstance(index, tuple) else (index,)
        full = slice(None)
        if Ellipsis in given:
            at = given.index(Ellipsis)
            given = (*given[:at], *[full] * (4 - len(given)), *given[at + 1 :])
        return self._read((*given, *[full] * (3 - len(given))))


def held(members: Members) -> Members:
    """The members as an array if they are small."""
    return members[...] if 4 * int(np.prod(members.shape)) <= HELD_BYTES else members


def bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of so many members, rows and columns that may be held at once."""
    count, rows, columns = shape
    height = HELD_BYTES // (4 * count * max(columns, 1)) // _CHUNK_ROWS * _CHUNK_ROWS
    step = max(height, _CHUNK_ROWS)
    for first in range(0, max(rows, 1), step):
        yield slice(first, min(first + step, rows))
