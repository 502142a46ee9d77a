"""The Pangeo CMIP6 catalogue: one row a store, chosen by its columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import fsspec
import pandas as pd

from wxreg.errors import IntegrityError, NotFound, UsageError
from wxreg.ids import near_names

COLUMNS: Final = (
    "activity_id", "institution_id", "source_id", "experiment_id", "member_id", "table_id",
    "variable_id", "grid_label", "zstore", "dcpp_init_year", "version",
)  # fmt: skip
_NEEDED: Final = ("source_id", "experiment_id", "member_id", "table_id", "variable_id", "zstore")


def read_catalogue(location: str, storage: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a catalogue: a CSV, the JSON that names it, or a folder that holds one."""
    place = _csv_place(location, storage)
    try:
        table = pd.read_csv(
            place, dtype=str, keep_default_na=False, storage_options=dict(storage) or None
        )
    except FileNotFoundError as error:
        raise NotFound("REG-301", "no catalogue is there", where=place) from error
    except (ValueError, OSError) as error:
        raise IntegrityError(
            "REG-536", f"the catalogue is no table: {error}", where=place
        ) from error
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise IntegrityError(
            "REG-536", f"the catalogue has no column {', '.join(missing)}", where=place
        )
    return table


def _csv_place(location: str, storage: Mapping[str, Any]) -> str:
    if "://" not in location and Path(location).is_dir():
        tables = sorted(Path(location).glob("*.csv*"))
        if len(tables) != 1:
            raise NotFound("REG-335", f"{len(tables)} catalogues are here", where=location)
        return str(tables[0])
    if not location.endswith(".json"):
        return location
    with fsspec.open(location, "rb", **storage) as stream:
        named = str(json.load(stream).get("catalog_file", ""))
    if not named:
        raise IntegrityError("REG-536", "the JSON names no catalog_file", where=location)
    return named if "://" in named else f"{location.rpartition('/')[0]}/{Path(named).name}"


def search(table: pd.DataFrame, wanted: Mapping[str, str]) -> pd.DataFrame:
    """The rows whose columns have these values; the way out is named where there are none."""
    found = table
    for column, value in wanted.items():
        if column not in COLUMNS:
            raise UsageError(
                "REG-200",
                f"the catalogue has no column {column!r}",
                hint=f"columns: {', '.join(COLUMNS)}",
            )
        kept = found[found[column] == value]
        if kept.empty:
            known = sorted(found[column].unique())
            near = near_names(value, known) or tuple(known[:8])
            raise NotFound(
                "REG-335",
                f"no row has {column}={value} among those that match the rest",
                hint=f"there are: {', '.join(near)}",
            )
        found = kept
    return found


def one_store(table: pd.DataFrame, wanted: Mapping[str, str]) -> str:
    """The place of the one store that matches; of several versions the newest."""
    found = search(table, wanted)
    apart = [
        column
        for column in COLUMNS
        if column in found and column not in ("zstore", "version", "dcpp_init_year")
        if found[column].nunique() > 1
    ]
    if apart:
        choices = {column: sorted(found[column].unique())[:8] for column in apart}
        raise UsageError(
            "REG-200",
            f"{len(found)} rows match; they differ in {', '.join(apart)}",
            hint="; ".join(f"{column}: {', '.join(values)}" for column, values in choices.items()),
        )
    newest = found.sort_values("version") if "version" in found else found
    return str(newest["zstore"].iloc[-1])
