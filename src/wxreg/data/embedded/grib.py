"""GRIB2 messages and wgrib2 indexes as HRRR writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import eccodes
import numpy as np

from wxreg.data.embedded.clock import Floats

_ACCUMULATION, _MAXIMUM = 1, 2
_WORDS = {_ACCUMULATION: "acc", _MAXIMUM: "max"}


@dataclass(frozen=True)
class Field:
    """How one variable is named in an index and keyed in a message."""

    name: str
    level: str
    parameter: tuple[int, int, int]
    surfaces: tuple[tuple[int, float], ...]
    """(type, value) of the first and, for a layer, the second fixed surface."""
    step: float
    """Packing step: values are whole multiples of it."""
    statistic: int | None = None
    """Over the hour that ends at the lead; None for an instant."""


@dataclass(frozen=True)
class LambertGrid:
    """The grid section: a crop of HRRR's grid."""

    nx: int
    ny: int
    first_lat: float
    first_lon: float
    """Of the lower-left cell centre, longitude in 0 to 360."""


def write_file(
    path: Path,
    grid: LambertGrid,
    reference: np.datetime64,
    lead: int,
    fields: Iterable[tuple[Field, Floats]],
) -> None:
    """Write one GRIB2 file (rows south to north) and its `.idx` beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = np.datetime_as_string(reference, unit="h").replace("-", "").replace("T", "")
    lines, offset = [], 0
    with path.open("wb") as file:
        for number, (field, values) in enumerate(fields, start=1):
            message = encode(grid, reference, lead, field, values)
            lines.append(
                f"{number}:{offset}:d={stamp}:{field.name}:{field.level}:{_when(field, lead)}:\n"
            )
            file.write(message)
            offset += len(message)
    path.with_name(path.name + ".idx").write_text("".join(lines))


def encode(
    grid: LambertGrid, reference: np.datetime64, lead: int, field: Field, values: Floats
) -> bytes:
    """Return one GRIB2 message."""
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    try:
        keys = {
            **_identity(reference),
            **_geometry(grid),
            **_product(field, reference, lead),
            **_levels(field),
        }
        for key, value in keys.items():
            eccodes.codes_set(handle, key, value)
        _pack(handle, field, values)
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)


def quantised(values: Floats, step: float) -> Floats:
    """Return the values as packing stores them."""
    return np.asarray(np.round(values / step) * step)


def _pack(handle: int, field: Field, values: Floats) -> None:
    whole = quantised(values, field.step)
    span = float(whole.max() - whole.min()) / field.step
    if span == 0.0:
        eccodes.codes_set(handle, "packingType", "grid_simple")
    else:
        eccodes.codes_set(handle, "packingType", "grid_complex_spatial_differencing")
        eccodes.codes_set(handle, "orderOfSpatialDifferencing", 2)
        eccodes.codes_set(handle, "bitsPerValue", max(1, int(np.ceil(np.log2(span + 1.0)))))
    eccodes.codes_set_values(handle, whole.ravel())


def _identity(reference: np.datetime64) -> dict[str, int]:
    moment = reference.astype("datetime64[s]").item()
    return {
        "centre": 7,
        "subCentre": 0,
        "tablesVersion": 2,
        "localTablesVersion": 1,
        "significanceOfReferenceTime": 1,
        "year": moment.year,
        "month": moment.month,
        "day": moment.day,
        "hour": moment.hour,
        "minute": 0,
        "second": 0,
        "productionStatusOfProcessedData": 0,
        "typeOfProcessedData": 1,
    }


def _geometry(grid: LambertGrid) -> dict[str, int]:
    return {
        "gridDefinitionTemplateNumber": 30,
        "shapeOfTheEarth": 6,
        "Nx": grid.nx,
        "Ny": grid.ny,
        "latitudeOfFirstGridPoint": round(grid.first_lat * 1e6),
        "longitudeOfFirstGridPoint": round(grid.first_lon * 1e6),
        "resolutionAndComponentFlags": 8,
        "LaD": 38_500_000,
        "LoV": 262_500_000,
        "Dx": 3_000_000,
        "Dy": 3_000_000,
        "projectionCentreFlag": 0,
        "scanningMode": 64,
        "Latin1": 38_500_000,
        "Latin2": 38_500_000,
        "latitudeOfSouthernPole": 0,
        "longitudeOfSouthernPole": 0,
    }


def _product(field: Field, reference: np.datetime64, lead: int) -> dict[str, int]:
    discipline, category, number = field.parameter
    keys = {
        "discipline": discipline,
        "productDefinitionTemplateNumber": 0 if field.statistic is None else 8,
        "parameterCategory": category,
        "parameterNumber": number,
        "typeOfGeneratingProcess": 2,
        "backgroundProcess": 0,
        "generatingProcessIdentifier": 83,
        "indicatorOfUnitOfTimeRange": 1,
        "forecastTime": lead if field.statistic is None else lead - 1,
    }
    if field.statistic is not None:
        end = (reference + np.timedelta64(lead, "h")).astype("datetime64[s]").item()
        keys |= {
            "yearOfEndOfOverallTimeInterval": end.year,
            "monthOfEndOfOverallTimeInterval": end.month,
            "dayOfEndOfOverallTimeInterval": end.day,
            "hourOfEndOfOverallTimeInterval": end.hour,
            "minuteOfEndOfOverallTimeInterval": 0,
            "secondOfEndOfOverallTimeInterval": 0,
            "typeOfStatisticalProcessing": field.statistic,
            "typeOfTimeIncrement": 2,
            "indicatorOfUnitForTimeRange": 1,
            "lengthOfTimeRange": 1,
        }
    return keys


def _levels(field: Field) -> dict[str, int]:
    keys: dict[str, int] = {}
    for which, (kind, value) in zip(("First", "Second"), field.surfaces, strict=False):
        keys[f"typeOf{which}FixedSurface"] = kind
        keys[f"scaleFactorOf{which}FixedSurface"] = 0
        keys[f"scaledValueOf{which}FixedSurface"] = int(value)
    if len(field.surfaces) == 1:
        keys["typeOfSecondFixedSurface"] = 255
    return keys


def _when(field: Field, lead: int) -> str:
    if field.statistic is not None:
        return f"{lead - 1}-{lead} hour {_WORDS[field.statistic]} fcst"
    return "anl" if lead == 0 else f"{lead} hour fcst"
