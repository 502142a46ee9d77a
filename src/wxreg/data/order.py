"""The order in which samples are visited: a law of (seed, epoch), the same on every machine.

An epoch is one sequence of sample numbers.  It is cut into global batches, and each global
batch into one part a rank; a cursor counts the global batches that are done, so the rest of an
epoch is known from (epoch, cursor) alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import Incompatible, UsageError

Ints = NDArray[np.int64]
_DRAWS = 1 << 40
"""Streams from here on belong to the samples of a batch."""


@dataclass(frozen=True)
class Order:
    """How ``count`` samples are visited, ``batch`` at a time, by ``world`` ranks together."""

    count: int
    batch: int
    """Samples of one global batch, over all ranks."""
    seed: int = 0
    world: int = 1
    shuffle: bool = True
    whole_batches: bool = True
    """Leave out the last samples of an epoch that do not fill a global batch."""
    weights: NDArray[np.float64] | None = field(default=None, compare=False)
    """How often each sample is drawn; with weights an epoch draws with replacement."""

    def __post_init__(self) -> None:
        if self.batch < 1 or self.world < 1 or self.batch % self.world:
            raise UsageError(
                "REG-235",
                f"a global batch of {self.batch} does not divide over {self.world} ranks",
                hint="make the global batch a multiple of the number of devices",
            )
        if self.whole_batches and self.count < self.batch:
            raise Incompatible(
                "REG-435",
                f"{self.count} samples do not fill one global batch of {self.batch}",
                hint="ask for a smaller batch, a longer split or fewer history and lead steps",
            )
        if self.weights is not None:
            self._check_weights(self.weights)

    def _check_weights(self, weights: NDArray[np.float64]) -> None:
        usable = np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0
        if len(weights) != self.count or not usable:
            raise UsageError(
                "REG-235", "sampling weights must be one finite, non-negative number a sample"
            )

    @property
    def batches(self) -> int:
        """How many global batches an epoch has."""
        return self.count // self.batch if self.whole_batches else -(-self.count // self.batch)

    def sequence(self, epoch: int) -> Ints:
        """The sample numbers of one epoch, in order."""
        if self.weights is not None:
            total = np.cumsum(self.weights, dtype=np.float64)
            draws = (_random_bits(self.seed, epoch, self.count) >> np.uint64(11)) * 2.0**-53
            return np.asarray(np.searchsorted(total, draws * total[-1], side="right"), np.int64)
        if self.shuffle:
            return np.argsort(_random_bits(self.seed, epoch, self.count), kind="stable")
        return np.arange(self.count, dtype=np.int64)

    def batches_from(
        self,
        epoch: int,
        cursor: int = 0,
        rank: int = 0,
        visited: Callable[[int], NDArray[np.bool_]] | None = None,
    ) -> Iterator[Ints]:
        """One rank's part of each global batch of the epoch, from batch ``cursor`` on.

        ``visited`` says which samples a global batch may have; the epoch is as long as ever,
        and goes round these samples as often as it must.
        """
        if not 0 <= rank < self.world:
            raise UsageError("REG-235", f"rank {rank} is not one of {self.world} ranks")
        sequence = self.sequence(epoch)
        for number in range(cursor, self.batches):
            mine = sequence if visited is None else sequence[visited(number)[sequence]]
            last = self.count if visited is None else (number + 1) * self.batch
            places = np.arange(number * self.batch, min((number + 1) * self.batch, last))
            yield np.array_split(mine[places % len(mine)], self.world)[rank]

    def draws_of(self, epoch: int, number: int, rank: int) -> NDArray[np.uint64]:
        """64 random bits for each sample of this rank's part of a global batch."""
        bits = _random_bits(self.seed, epoch, self.batch, stream=_DRAWS + number)
        return np.array_split(bits, self.world)[rank]

    def scale_of(self, epoch: int, number: int, scales: int) -> int:
        """Which of ``scales`` views global batch ``number`` has; each is as frequent."""
        turn, place = divmod(number, scales)
        bits = _random_bits(self.seed, epoch, scales, stream=2 * turn + 1)
        return int(np.argsort(bits, kind="stable")[place])

    def corners_of(
        self, epoch: int, number: int, rank: int, room: tuple[int, int]
    ) -> NDArray[np.int64]:
        """Random ``(row, column)`` corners, each below ``room``, for this rank's part."""
        bits = _random_bits(self.seed, epoch, 2 * self.batch, stream=2 * number + 2)
        corners = (bits.reshape(self.batch, 2) % np.asarray(room, np.uint64)).astype(np.int64)
        return np.array_split(corners, self.world)[rank]


def _random_bits(seed: int, epoch: int, count: int, stream: int = 0) -> NDArray[np.uint64]:
    """Raw generator output, which no numpy release may change (its samplers may)."""
    generator = np.random.PCG64(np.random.SeedSequence([seed, epoch, stream]))
    return generator.random_raw(count)
