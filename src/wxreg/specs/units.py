"""Units of weather variables: parsed, compared and converted exactly, never guessed.

``mm`` is a depth of water (``kg m-2``), as every precipitation dataset assumes, unless the
other side of a conversion is a length, such as a depth of snow.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from wxreg.errors import UsageError

_Dims = tuple[int, ...]
_NAMES: Final = ("kg", "m", "s", "K", "count", "dBZ", "degree")


def _dims(**powers: int) -> _Dims:
    return tuple(powers.get(name, 0) for name in _NAMES)


_BASE: Final[dict[str, tuple[Fraction, _Dims]]] = {
    "1": (Fraction(1), _dims()),
    "%": (Fraction(1, 100), _dims()),
    "kg": (Fraction(1), _dims(kg=1)),
    "g": (Fraction(1, 1000), _dims(kg=1)),
    "ug": (Fraction(1, 10**9), _dims(kg=1)),
    "m": (Fraction(1), _dims(m=1)),
    "km": (Fraction(1000), _dims(m=1)),
    "cm": (Fraction(1, 100), _dims(m=1)),
    "mm": (Fraction(1, 1000), _dims(m=1)),
    "gpm": (Fraction(1), _dims(m=1)),
    "s": (Fraction(1), _dims(s=1)),
    "h": (Fraction(3600), _dims(s=1)),
    "day": (Fraction(86400), _dims(s=1)),
    "K": (Fraction(1), _dims(K=1)),
    "degC": (Fraction(1), _dims(K=1)),
    "Pa": (Fraction(1), _dims(kg=1, m=-1, s=-2)),
    "hPa": (Fraction(100), _dims(kg=1, m=-1, s=-2)),
    "mb": (Fraction(100), _dims(kg=1, m=-1, s=-2)),
    "J": (Fraction(1), _dims(kg=1, m=2, s=-2)),
    "W": (Fraction(1), _dims(kg=1, m=2, s=-3)),
    "count": (Fraction(1), _dims(count=1)),
    "dBZ": (Fraction(1), _dims(dBZ=1)),
    "degree": (Fraction(1), _dims(degree=1)),
    "m_water": (Fraction(1000), _dims(kg=1, m=-2)),
}
_OFFSETS: Final = {"degC": Fraction(27315, 100)}
_TERM: Final = re.compile(r"([A-Za-z%_]+|1)(-?\d+)?")
_WATER_DEPTHS: Final = {"mm": Fraction(1), "cm": Fraction(10)}


@dataclass(frozen=True)
class Unit:
    """A unit as ``base = factor · value + offset`` in its dimensions."""

    text: str
    factor: Fraction
    offset: Fraction
    dims: _Dims


@lru_cache(maxsize=256)
def parse_unit(text: str, *, water: bool = True) -> Unit:
    """Read ``K``, ``m s-1``, ``kg m-2 s-1``, ``mm day-1`` …; ``UsageError`` if unknown."""
    factor, dims = Fraction(1), _dims()
    terms = text.split()
    if water and terms and terms[0] in _WATER_DEPTHS:
        factor, dims = _WATER_DEPTHS[terms[0]], _dims(kg=1, m=-2)
        terms = terms[1:]
    elif not terms:
        raise UsageError("REG-206", "units are empty", hint="write 1 for a pure number")
    for term in terms:
        match = _TERM.fullmatch(term)
        if not match or match[1] not in _BASE:
            raise UsageError(
                "REG-206", f"{text!r} is not a unit", hint=f"known: {', '.join(_BASE)}"
            )
        power = int(match[2] or 1)
        base, powers = _BASE[match[1]]
        factor *= base**power
        dims = tuple(have + power * add for have, add in zip(dims, powers, strict=True))
    return Unit(text, factor, _OFFSETS.get(text, Fraction(0)), dims)


def conversion(source: str, target: str) -> tuple[float, float]:
    """``(scale, offset)`` with ``target = scale · source + offset``."""
    have, want = parse_unit(source), parse_unit(target)
    if have.dims != want.dims:
        have, want = parse_unit(source, water=False), parse_unit(target, water=False)
    if have.dims != want.dims:
        raise UsageError("REG-206", f"{source!r} does not convert to {target!r}")
    scale = have.factor / want.factor
    return float(scale), float((have.offset - want.offset) / want.factor)
