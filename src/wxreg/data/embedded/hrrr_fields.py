"""The HRRR fields that the embedded world writes, file by file and in the order of the file."""

from __future__ import annotations

from wxreg.data.embedded.grib import Field

_ATMOSPHERE, _SURFACE, _SEA, _COLUMN = ((10, 0),), ((1, 0),), ((101, 0),), ((200, 0),)
LEVELS = (85000, 70000, 50000)


def _above(*metres: int) -> tuple[tuple[int, float], ...]:
    return tuple((103, m) for m in metres)


def _layer(bottom: int, top: int) -> tuple[tuple[int, float], ...]:
    return ((108, bottom), (108, top))


_WHOLE = "entire atmosphere"
_REFC = Field("REFC", _WHOLE, (0, 16, 196), _ATMOSPHERE, 0.25)
_T2M = Field("TMP", "2 m above ground", (0, 0, 0), _above(2), 0.125)
_U10 = Field("UGRD", "10 m above ground", (0, 2, 2), _above(10), 0.0625)
_V10 = Field("VGRD", "10 m above ground", (0, 2, 3), _above(10), 0.0625)

ANALYSIS = {
    "refc": _REFC,
    "refd_1km": Field("REFD", "1000 m above ground", (0, 16, 195), _above(1000), 0.5),
    "refd_4km": Field("REFD", "4000 m above ground", (0, 16, 195), _above(4000), 0.5),
    "mslma": Field("MSLMA", "mean sea level", (0, 3, 198), _SEA, 8.0),
    "ltng": Field("LTNG", _WHOLE, (0, 17, 192), _ATMOSPHERE, 1.0),
    "sp": Field("PRES", "surface", (0, 3, 0), _SURFACE, 32.0),
    "orog": Field("HGT", "surface", (0, 3, 5), _SURFACE, 4.0),
    "t2m": _T2M,
    "d2m": Field("DPT", "2 m above ground", (0, 0, 6), _above(2), 0.125),
    "u10": _U10,
    "v10": _V10,
    "cape_sb": Field("CAPE", "surface", (0, 7, 6), _SURFACE, 16.0),
    "cin_sb": Field("CIN", "surface", (0, 7, 7), _SURFACE, 1.0),
    "pwat": Field("PWAT", f"{_WHOLE} (considered as a single layer)", (0, 1, 3), _COLUMN, 0.5),
    "srh_0_3km": Field("HLCY", "3000-0 m above ground", (0, 7, 8), _above(3000, 0), 2.0),
    "srh_0_1km": Field("HLCY", "1000-0 m above ground", (0, 7, 8), _above(1000, 0), 1.0),
    "ustm": Field("USTM", "0-6000 m above ground", (0, 2, 194), _above(0, 6000), 0.125),
    "vstm": Field("VSTM", "0-6000 m above ground", (0, 2, 195), _above(0, 6000), 0.125),
    "vucsh": Field("VUCSH", "0-6000 m above ground", (0, 2, 15), _above(0, 6000), 0.125),
    "vvcsh": Field("VVCSH", "0-6000 m above ground", (0, 2, 16), _above(0, 6000), 0.125),
    "cape_ml": Field("CAPE", "90-0 mb above ground", (0, 7, 6), _layer(9000, 0), 16.0),
    "cin_ml": Field("CIN", "90-0 mb above ground", (0, 7, 7), _layer(9000, 0), 1.0),
    "land": Field("LAND", "surface", (2, 0, 0), _SURFACE, 1.0),
}

FORECAST = {
    "refc": _REFC,
    "maxuvv": Field(
        "MAXUVV", "100-1000 mb above ground", (0, 2, 220), _layer(10000, 100000), 0.0625, 2
    ),
    "mxuphl_2_5km": Field(
        "MXUPHL", "5000-2000 m above ground", (0, 7, 199), _above(5000, 2000), 0.5, 2
    ),
    "t2m": _T2M,
    "u10": _U10,
    "v10": _V10,
    "precip_1h": Field("APCP", "surface", (0, 1, 8), _SURFACE, 0.0625, 1),
}

_PRESSURE_KINDS = {
    "z": ("HGT", (0, 3, 5), 2.0),
    "t": ("TMP", (0, 0, 0), 0.125),
    "q": ("SPFH", (0, 1, 0), 2.0**-13),
    "w": ("VVEL", (0, 2, 8), 0.0625),
    "u": ("UGRD", (0, 2, 2), 0.25),
    "v": ("VGRD", (0, 2, 3), 0.25),
}

PRESSURE = {
    f"{key}_{level // 100}": Field(name, f"{level // 100} mb", parameter, ((100, level),), step)
    for level in sorted(LEVELS)
    for key, (name, parameter, step) in _PRESSURE_KINDS.items()
}
