"""Where GHCN-Daily stations stand: ``ghcnd-stations.txt``, which lies beside the station files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import IntegrityError, NotFound

_NAME: Final = "ghcnd-stations.txt"
_ID, _LAT, _LON = slice(0, 11), slice(12, 20), slice(21, 30)


def station_places(root: Path, stations: list[str]) -> NDArray[np.float64] | None:
    """``(station, 2)`` degrees north and east; None where the list of stations is not there."""
    lists = sorted(root.rglob(_NAME)) if root.is_dir() else []
    if not lists:
        return None
    wanted, found = set(stations), dict[str, tuple[float, float]]()
    with lists[0].open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line[_ID] in wanted:
                found[line[_ID]] = _place(line, f"{lists[0]}, line {number}")
    absent = sorted(wanted - found.keys())
    if absent:
        raise NotFound(
            "REG-335",
            f"the list of stations has no {', '.join(absent[:3])}",
            where=str(lists[0]),
            hint="fetch it again, or leave these stations out",
        )
    return np.array([found[station] for station in stations])


def _place(line: str, where: str) -> tuple[float, float]:
    try:
        lat, lon = float(line[_LAT]), float(line[_LON])
    except ValueError as error:
        raise IntegrityError("REG-536", f"no place is there: {error}", where=where) from error
    if not (-90 <= lat <= 90 and -180 <= lon <= 360):
        raise IntegrityError("REG-536", f"{lat} north, {lon} east is no place", where=where)
    return lat, lon
