"""Large domains in overlapping tiles, blended so that no seam remains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from wxreg.errors import Incompatible, UsageError
from wxreg.models.forecaster import Batch, Forecaster, LossReport, Noise
from wxreg.models.noise import MemberNoise, TileNoise
from wxreg.models.views import crop


@dataclass(frozen=True)
class Tiling:
    """Tiles of one size that cover a grid; neighbours share at least ``overlap`` cells."""

    shape: tuple[int, int]
    size: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.overlap <= self.size:
            raise UsageError(
                "REG-240",
                f"an overlap of {self.overlap} does not fit tiles of {self.size}",
                hint="the overlap is at most half of the tile",
            )

    def windows(self) -> Iterator[tuple[slice, slice]]:
        """The rows and columns of each tile."""
        for row in _starts(self.shape[0], self.size, self.overlap):
            for column in _starts(self.shape[1], self.size, self.overlap):
                yield _span(row, self.size, self.shape[0]), _span(
                    column, self.size, self.shape[1]
                )  # fmt: skip

    def weights(self, rows: slice, columns: slice) -> Tensor:
        """Unnormalised weights of a tile: 1 inside, falling over the overlap to inner edges."""
        parts = (
            _ramp(span, length, self.overlap)
            for span, length in zip((rows, columns), self.shape, strict=True)
        )
        return torch.outer(*parts)


def blend_tiles(tiling: Tiling, forecast: Callable[[slice, slice], Tensor]) -> Tensor:
    """The weighted mean of ``forecast(rows, columns)`` over all tiles; weights sum to one."""
    total: Tensor | None = None
    weight: Tensor | None = None
    for rows, columns in tiling.windows():
        tile = forecast(rows, columns)
        share = tiling.weights(rows, columns).to(tile)
        if total is None or weight is None:
            total = tile.new_zeros(*tile.shape[:-2], *tiling.shape)
            weight = tile.new_zeros(tiling.shape)
        total[..., rows, columns] += tile * share
        weight[rows, columns] += share
    if total is None or weight is None:
        raise UsageError("REG-240", "a grid without cells has no tiles")
    return total / weight


class TiledForecaster(Forecaster):
    """A forecaster that samples tile by tile; each tile sees its cut of one noise field.

    In a roll-out every step is blended before the next one begins, so that tiles never part.
    """

    def __init__(self, whole: Forecaster, size: int, overlap: int) -> None:
        super().__init__(whole.blueprint)
        self.whole, self.size, self.overlap = whole, size, overlap

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The loss of the forecaster itself: training cuts its own tiles."""
        return self.whole.loss(batch, generator)

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The blended forecast ``(B, M, L, D, Y, X)``."""
        if not isinstance(noise, MemberNoise):
            raise UsageError("REG-240", "tiles need noise that is counted by member")
        rows, columns = batch.lat.shape[-2:]
        self._check(rows // batch.inputs.shape[-2])
        before = noise.draws

        def one(down: slice, across: slice) -> Tensor:
            own = noise.from_draw(before)
            cut = TileNoise(own, (rows, columns), down, across)
            forecast = self.whole.sample(crop(batch, down, across), members, cut)
            noise.draws = own.draws
            return forecast

        return blend_tiles(Tiling((rows, columns), self.size, self.overlap), one)

    def _check(self, factor: int) -> None:
        """Tiles begin on whole input cells."""
        if self.size % factor or self.overlap % factor:
            raise Incompatible(
                "REG-461",
                f"tiles of {self.size} cells that share {self.overlap} do not divide into input "
                f"cells, which are {factor} times larger",
                hint=f"make sampling.tile and sampling.overlap multiples of {factor}",
            )


def _starts(length: int, size: int, overlap: int) -> list[int]:
    """First cells of tiles that cover ``length``; the last one ends with the grid."""
    last = max(length - size, 0)
    return [*range(0, last, max(size - overlap, 1)), last]


def _span(start: int, size: int, length: int) -> slice:
    return slice(start, min(start + size, length))


def _ramp(span: slice, length: int, overlap: int) -> Tensor:
    cells = torch.arange(span.start, span.stop, dtype=torch.float64)
    rising = torch.ones_like(cells)
    if overlap and span.start > 0:
        rising = ((cells - span.start + 0.5) / overlap).clamp(max=1)
    falling = torch.ones_like(cells)
    if overlap and span.stop < length:
        falling = ((span.stop - cells - 0.5) / overlap).clamp(max=1)
    return rising * falling
