"""Random draws that depend on (seed, initial time, event, member, draw) and on nothing else.

Each row of a draw has its own counter-based Philox stream on the CPU, so that members are the
same however they are batched and on whatever device they are used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor

_WORD = 2**64


class MemberNoise:
    """Noise for ``members`` members of each initial time; rows are init-major, member-minor."""

    def __init__(
        self,
        seed: int,
        init_times: Sequence[float],
        members: int,
        member_offset: int = 0,
        segments: Sequence[int] | None = None,
    ) -> None:
        """``init_times`` in seconds since 1970; ``member_offset`` is the number of the first.

        ``segments`` are the events of the initial times; none where the data are one series.
        """
        events = segments or [0] * len(init_times)
        self._keys = [_key(seed, *start) for start in zip(init_times, events, strict=True)]
        self._members = range(member_offset, member_offset + members)
        self.draws = 0
        """How many draws were made."""

    def of_member(self, number: int) -> MemberNoise:
        """The noise of one of these members alone, counted from the first."""
        found = copy(self)
        found._members = self._members[number : number + 1]
        return found

    def from_draw(self, draws: int) -> MemberNoise:
        """The same noise as it was, or will be, after so many draws."""
        found = copy(self)
        found.draws = draws
        return found

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Standard normal draws of shape ``(rows, *shape)``; a row is one (init, member)."""
        rows = [stream.standard_normal(shape, dtype=np.float32) for stream in self._streams()]
        return torch.from_numpy(np.stack(rows)).to(like)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uniform draws in [0, 1) of shape ``(rows, *shape)``."""
        rows = [stream.random(shape, dtype=np.float32) for stream in self._streams()]
        return torch.from_numpy(np.stack(rows)).to(like)

    def _streams(self) -> list[np.random.Generator]:
        draw, self.draws = self.draws, self.draws + 1
        return [
            np.random.Generator(np.random.Philox(key=key, counter=[0, 0, draw, member]))
            for key in self._keys
            for member in self._members
        ]


class TileNoise:
    """The cut of one noise field for the whole grid that a tile sees.

    Neighbouring tiles then agree where they overlap, and a member stays one member.  Draws on
    another grid than the tile's (a coarser one, say) are the same for every tile.
    """

    def __init__(
        self, whole: MemberNoise, shape: tuple[int, int], rows: slice, columns: slice
    ) -> None:
        """``whole`` is a copy for each tile, so that every tile starts at the same draw."""
        self._whole = whole
        self._shape = shape
        self._window = (rows, columns)

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Standard normal draws of shape ``(rows, *shape)``."""
        return self._cut(self._whole.normal, shape, like)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uniform draws in [0, 1) of shape ``(rows, *shape)``."""
        return self._cut(self._whole.uniform, shape, like)

    def _cut(
        self,
        draw: Callable[[tuple[int, ...], Tensor], Tensor],
        shape: tuple[int, ...],
        like: Tensor,
    ) -> Tensor:
        rows, columns = self._window
        if shape[-2:] != (rows.stop - rows.start, columns.stop - columns.start):
            return draw(shape, like)
        return draw((*shape[:-2], *self._shape), like)[..., rows, columns]


def _key(seed: int, time: float, segment: int) -> list[int]:
    """The 128-bit key of one seed and one start, its time told apart to the millisecond.

    Segment zero, which a series has, leaves no trace: its keys are as old as the first forecasts.
    """
    text = f"wxreg-noise-1|{seed}|{round(time * 1000)}"
    if segment:
        text += f"|{segment}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    return [number % _WORD, number // _WORD]
