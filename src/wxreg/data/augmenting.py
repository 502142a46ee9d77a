"""Mirrored and turned samples: more weather from the same, by a law of (seed, epoch, batch).

Rows run from north to south.  A mirrored or turned sample keeps, cell by cell, its values, its
masks, its fixed fields and its latitudes and longitudes; components of vectors follow the
axes, as if the whole landscape had been mirrored or turned with the weather over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.data.samples import Samples
from wxreg.errors import Incompatible
from wxreg.specs.variables import Variable

FLIP_X: Final = "flip-x"
FLIP_Y: Final = "flip-y"
ROTATE: Final = "rotate"
_ROWS, _COLUMNS = -2, -1
_MIRRORED_X, _MIRRORED_Y, _QUARTERS = np.uint64(1), np.uint64(2), np.uint64(3)


@dataclass(frozen=True)
class Motion:
    """What is done to one sample: mirrored east to west, north to south, then turned left."""

    flip_x: bool = False
    flip_y: bool = False
    quarters: int = 0
    """Quarter turns to the left."""

    def field(self, values: NDArray[Any]) -> NDArray[Any]:
        """Cells ``(…, Y, X)`` in their new places."""
        if self.flip_x:
            values = np.flip(values, _COLUMNS)
        if self.flip_y:
            values = np.flip(values, _ROWS)
        return np.rot90(values, self.quarters, (_ROWS, _COLUMNS))

    def channels(self, values: NDArray[Any], vectors: Vectors) -> NDArray[Any]:
        """Channels ``(…, C, Y, X)`` in their new places, vectors along the new axes."""
        moved = self.field(values).copy()
        if self.flip_x:
            moved[..., vectors.eastward, :, :] *= -1
        if self.flip_y:
            moved[..., vectors.northward, :, :] *= -1
        for _ in range(self.quarters):
            u, v = (moved[..., list(side), :, :] for side in vectors.pairs)
            moved[..., list(vectors.pairs[0]), :, :] = -v
            moved[..., list(vectors.pairs[1]), :, :] = u
        return moved


@dataclass(frozen=True)
class Vectors:
    """Where the components of vectors stand among channels."""

    eastward: list[int]
    northward: list[int]
    pairs: tuple[tuple[int, ...], tuple[int, ...]]
    """The places of the eastward and of the northward part of each whole vector."""


@dataclass(frozen=True)
class Augmentation:
    """Which motions are drawn, and where the vectors of both sides stand."""

    kinds: tuple[str, ...]
    inputs: Vectors
    targets: Vectors

    def motion(self, draw: np.uint64) -> Motion:
        """The motion that 64 random bits mean; each declared kind is as likely as not."""
        return Motion(
            flip_x=FLIP_X in self.kinds and bool(draw & _MIRRORED_X),
            flip_y=FLIP_Y in self.kinds and bool(draw & _MIRRORED_Y),
            quarters=int(draw >> np.uint64(2) & _QUARTERS) if ROTATE in self.kinds else 0,
        )

    def moved(self, samples: Samples, draws: NDArray[np.uint64]) -> Samples:
        """Each sample with the motion of its draw; latitude and longitude become one a sample."""
        motions = [self.motion(draw) for draw in draws]

        def places(field: NDArray[Any], plain: int) -> NDArray[Any]:
            return _each(motions, field, lambda one, part: one.field(part), field.ndim > plain)

        def values(field: NDArray[Any], vectors: Vectors) -> NDArray[Any]:
            return _each(motions, field, lambda one, part: one.channels(part, vectors), True)

        target, mask = samples.target, samples.target_mask
        return replace(
            samples,
            inputs=values(samples.inputs, self.inputs),
            input_mask=places(samples.input_mask, 0),
            static=places(samples.static, 3),
            target=None if target is None else values(target, self.targets),
            target_mask=None if mask is None else places(mask, 0),
            lat=places(samples.lat, 2),
            lon=places(samples.lon, 2),
        )


def _each(motions: list[Motion], field: NDArray[Any], change: Any, own: bool) -> NDArray[Any]:
    """One changed field a sample; ``own`` where the first axis is the sample already."""
    parts = field if own else [field] * len(motions)
    return np.stack([change(motion, part) for motion, part in zip(motions, parts, strict=True)])


def augmentation(
    kinds: tuple[str, ...],
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    lexicon: Mapping[str, Variable],
) -> Augmentation:
    """The declared motions for these channels (``u10``, ``u@500``), or why they would be wrong."""
    for channel in dict.fromkeys(inputs + targets):
        variable = lexicon[channel.partition("@")[0]]
        barred = set(kinds) if variable.symmetry == "none" else set(kinds) - {ROTATE}
        if variable.symmetry != "any" and barred:
            raise _wrong(
                f"{', '.join(sorted(barred))} makes {channel} wrong: {variable.long_name.lower()} "
                "does not stay itself",
                "leave it out, or train without that variable",
            )
    whole = ROTATE in kinds
    return Augmentation(
        kinds, _vectors(inputs, lexicon, whole=whole), _vectors(targets, lexicon, whole=whole)
    )


def _vectors(channels: tuple[str, ...], lexicon: Mapping[str, Variable], *, whole: bool) -> Vectors:
    """Where vectors stand; ``whole``: a component without its partner is refused."""
    sides: dict[str, list[int]] = {"x": [], "y": []}
    pairs: list[tuple[int, int]] = []
    for place, channel in enumerate(channels):
        name, at, level = channel.partition("@")
        variable = lexicon[name]
        if variable.vector is None:
            continue
        sides[variable.vector].append(place)
        partner = f"{variable.partner}{at}{level}"
        if partner in channels and variable.vector == "x":
            pairs.append((place, channels.index(partner)))
        elif partner not in channels and whole:
            raise _wrong(
                f"{channel} cannot be turned without {partner}",
                f"add {variable.partner} to the variables, or leave rotate out",
            )
    first, second = (tuple(side) for side in zip(*pairs, strict=True)) if pairs else ((), ())
    return Vectors(sides["x"], sides["y"], (first, second))


def _wrong(what: str, hint: str) -> Incompatible:
    return Incompatible("REG-460", what, where="training.augment", hint=hint)
