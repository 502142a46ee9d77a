"""The SEVIR catalogue: which file holds which event, with the damage that copies of it carry.

Copies that went through a spreadsheet have a byte-order mark, ``#NAME?`` for every projection
and dates such as ``5/12/19 18:30``.  What can be repaired is; the rest is left out; both are
reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
import pandas as pd

from wxreg.errors import IntegrityError

PROJECTION: Final = "+proj=laea +lat_0=38 +lon_0=-98 +units=m +a=6370997.0 +ellps=sphere"
SIDE_METRES: Final = 384_000.0
_NEEDED: Final = ("id", "file_name", "file_index", "img_type", "time_utc", "minute_offsets")
_DATES: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%y %H:%M", "%m/%d/%Y %H:%M")
_CORNERS: Final = ("llcrnrlat", "llcrnrlon", "urcrnrlat", "urcrnrlon")


@dataclass(frozen=True)
class EventRow:
    """One event as one image type has it."""

    id: str
    file: str
    index: int
    """Its position in the file."""
    image: str
    time: np.datetime64
    side: float
    """Metres from border to border."""
    offsets: tuple[int, ...]
    """Minutes of the frames relative to ``time``; none for lightning, which lists flashes."""


@dataclass(frozen=True)
class Catalogue:
    """The rows that can be used, and what was wrong with the file."""

    table: pd.DataFrame
    damage: tuple[str, ...]

    def events(self, image: str) -> dict[str, EventRow]:
        """The events of one image type by their id."""
        rows = self.table[self.table["img_type"] == image]
        return {row.id: row for row in (_event(dict(row)) for row in rows.to_dict("records"))}


def parse_catalogue(raw: bytes, where: str) -> Catalogue:
    """Read the bytes of a ``CATALOG.csv``, repairing what a spreadsheet did to it."""
    damage: list[str] = []
    if raw.startswith(b"\xef\xbb\xbf"):
        damage.append("a byte-order mark was taken off")
    table = _read_table(raw, where)
    table["file_index"] = pd.to_numeric(table["file_index"], errors="coerce")
    table["time_utc"] = _dates(table["time_utc"], damage)
    _repair_projection(table, damage)
    _note_ranges(table, damage)
    return Catalogue(_usable(table, damage), tuple(damage))


def _read_table(raw: bytes, where: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(BytesIO(raw), encoding="utf-8-sig", dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise IntegrityError(
            "REG-536", f"the catalogue is no table: {error}", where=where
        ) from error
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise IntegrityError(
            "REG-536", f"the catalogue has no column {', '.join(missing)}", where=where
        )
    return table


def _dates(texts: pd.Series, damage: list[str]) -> pd.Series:
    found = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[ns]")
    for form in _DATES:
        open_ = found.isna()
        if not open_.any():
            break
        parsed = pd.to_datetime(texts[open_], format=form, errors="coerce")
        found[open_] = parsed
        if form.startswith("%m") and parsed.notna().any():
            damage.append(f"{int(parsed.notna().sum())} dates had the form {form}")
    return found


def _repair_projection(table: pd.DataFrame, damage: list[str]) -> None:
    if "proj" not in table:
        return
    broken = ~table["proj"].str.startswith("+proj")
    if broken.any():
        damage.append(f"{int(broken.sum())} projections were {table['proj'][broken].iloc[0]!r}")
        table.loc[broken, "proj"] = PROJECTION


def _note_ranges(table: pd.DataFrame, damage: list[str]) -> None:
    for name in ("data_min", "data_max", "pct_missing", "height_m", "width_m", *_CORNERS):
        if name in table:
            table[name] = pd.to_numeric(table[name], errors="coerce")
    if "data_min" in table:
        empty = table["data_min"].isna() | table["data_max"].isna()
        empty &= table["img_type"] != "lght"
        if empty.any():
            damage.append(f"{int(empty.sum())} events have no range of values")


def _usable(table: pd.DataFrame, damage: list[str]) -> pd.DataFrame:
    lightning = table["img_type"] == "lght"
    steps = table["minute_offsets"].str.fullmatch(r"-?\d+(:-?\d+)*") | lightning
    good = steps & table["time_utc"].notna() & (table["file_index"].notna() | lightning)
    if not good.all():
        damage.append(f"{int((~good).sum())} rows were left out: no time, place or frames")
    kept = table[good].copy()
    kept["file_index"] = kept["file_index"].fillna(0).astype("int64")
    twice = kept.duplicated(["id", "img_type"])
    if twice.any():
        damage.append(f"{int(twice.sum())} rows came twice")
    return kept[~twice].reset_index(drop=True)


def _event(row: dict[Any, Any]) -> EventRow:
    offsets, side = str(row["minute_offsets"]), row.get("width_m")
    return EventRow(
        id=str(row["id"]),
        file=str(row["file_name"]),
        index=int(str(row["file_index"])),
        image=str(row["img_type"]),
        time=np.datetime64(pd.Timestamp(str(row["time_utc"])), "m"),
        side=SIDE_METRES if side is None or np.isnan(side) else float(side),
        offsets=tuple(int(part) for part in offsets.split(":"))
        if offsets and row["img_type"] != "lght"
        else (),
    )
