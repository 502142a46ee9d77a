"""Units convert exactly or not at all."""

from __future__ import annotations

import pytest

from wxreg.errors import UsageError
from wxreg.specs.units import conversion


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("degC", "K", 0.0, 273.15),
        ("K", "degC", 273.15, 0.0),
        ("mm", "kg m-2", 3.0, 3.0),
        ("m_water", "kg m-2", 0.001, 1.0),
        ("kg m-2 s-1", "mm day-1", 1.0, 86400.0),
        ("hPa", "Pa", 1013.25, 101325.0),
        ("%", "1", 50.0, 0.5),
        ("mm", "m", 1000.0, 1.0),
        ("m2 s-2", "J kg-1", 2.0, 2.0),
    ],
)
def test_conversions(source: str, target: str, value: float, expected: float) -> None:
    scale, offset = conversion(source, target)
    assert scale * value + offset == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    "pair", [("K", "Pa"), ("dBZ", "kg m-2"), ("m s-1", "m"), ("furlong", "m"), ("", "1")]
)
def test_what_does_not_convert_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        conversion(*pair)
