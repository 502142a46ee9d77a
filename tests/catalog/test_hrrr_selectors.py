"""The HRRR selectors against complete real indexes, real messages and ecCodes' own tables."""

from __future__ import annotations

from pathlib import Path

import eccodes
import pytest

from wxreg.data.readers.grib_index import IndexRecord, matching, parse_index
from wxreg.data.readers.grib_messages import scan_messages
from wxreg.data.readers.grib_source import selects
from wxreg.library.loading import Library
from wxreg.specs.variables import GribSelector, VariableEntry

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "real" / "hrrr"
ENTRIES = Library(ROOT).entries("hrrr")
HOURS = (0, 8, 24)
LEVELS_IN_SFC = {
    "gh": (500, 700, 850, 1000),
    "t": (500, 700, 850, 925, 1000),
    "d": (500, 700, 850, 925, 1000),
    "u": (250, 300, 500, 700, 850, 925, 1000),
    "v": (250, 300, 500, 700, 850, 925, 1000),
    "wz": (700,),
}
"""What the surface file repeats of the pressure file."""
SHORT_NAMES = {
    "d2m": "dpt", "q2": "q", "rh2": "r", "u10": "u", "v10": "v", "msl": "mslma", "gust": "gust",
    "cape_ml": "cape", "cin_mu": "cin", "refc": "refc", "refd_1km": "refd", "srh_0_1km": "hlcy",
    "ustm": "ustm", "vstm": "vstm", "vucsh_0_6km": "vucsh", "vvcsh_0_1km": "vvcsh",
    "precip_1h": "tp", "pwat": "pwat", "ltng": "ltng", "lifted_index": "lftx",
    "lifted_index_best": "4lftx", "vil": "veril", "w": "w", "wz": "wz", "visibility": "vis",
    "friction_velocity": "fricv", "parcel_pressure": "plpl", "ground_heat_flux": "gflux",
    "sw_down": "sdswrf", "surface_runoff_1h": "ssrun", "baseflow_runoff_1h": "bgrun",
    "thickness_256_261k": "layth", "sbt124": "SBT124", "freezing_rain_run": "frzr",
}  # fmt: skip
pytestmark = pytest.mark.real


def _records(hour: int) -> tuple[IndexRecord, ...]:
    path = REAL / "idx" / f"hrrr.t00z.wrfsfcf{hour:02d}.grib2.idx"
    if not path.exists():
        pytest.skip("the real indexes are not here")
    return parse_index(path.read_bytes(), path.name)


def _window(selector: GribSelector, hour: int) -> int:
    """Minutes that the field covers; at hour 0 the span of every statistic is empty."""
    if selector.step == "instant" or hour == 0:
        return 0
    return selector.window.seconds // 60 if selector.window else hour * 60


def _found(selector: GribSelector, key: str, hour: int) -> tuple[IndexRecord, ...]:
    return matching(_records(hour), key, selector.step, _window(selector, hour), hour * 60)


SURFACE = [e for e in ENTRIES if e.grib and e.grib.product == "sfc" and e.until is None]
"""What the surface file has today: the indexes are of August 2025."""


@pytest.mark.parametrize("hour", HOURS)
@pytest.mark.parametrize("entry", SURFACE, ids=lambda e: f"{e.id}-{e.grib.idx.split(':')[0]}")
def test_each_selector_names_exactly_one_record(entry: VariableEntry, hour: int) -> None:
    assert entry.grib and entry.grib.idx
    assert len(_found(entry.grib, entry.grib.idx, hour)) == 1


@pytest.mark.parametrize("hour", HOURS)
@pytest.mark.parametrize("name", LEVELS_IN_SFC)
def test_levelled_selectors_name_one_record_a_level(name: str, hour: int) -> None:
    entry = next(e for e in ENTRIES if e.id == name)
    assert entry.grib and entry.grib.idx
    assert "sfc" in entry.grib.also
    for level in LEVELS_IN_SFC[name]:
        key = entry.grib.idx.replace("{level}", str(level))
        assert len(_found(entry.grib, key, hour)) == 1, key


@pytest.mark.parametrize("hour", HOURS)
def test_hardly_a_record_is_left_out(hour: int) -> None:
    named = {e.grib.idx for e in SURFACE if e.grib}
    left = {r.key for r in _records(hour) if r.key not in named and not r.key.endswith(" mb")}
    assert len(left) == 2
    assert any(key.startswith("LAI:") for key in left)


def test_no_two_entries_select_the_same_message() -> None:
    def identity(entry: VariableEntry) -> tuple[object, ...]:
        select = entry.grib
        assert select
        return (*select.model_dump(exclude={"idx", "also"}).values(), entry.since, entry.until)

    seen = [str(identity(entry)) for entry in ENTRIES]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("name", SHORT_NAMES)
def test_the_numbers_are_those_of_the_grib_tables(name: str) -> None:
    select = [e.grib for e in ENTRIES if e.id == name][-1]
    assert select
    handle = eccodes.codes_grib_new_from_samples("GRIB2")
    try:
        for key, value in (
            ("centre", 7),
            ("localTablesVersion", 1),
            ("discipline", select.discipline),
            ("parameterCategory", select.category),
            ("parameterNumber", select.number),
        ):
            eccodes.codes_set(handle, key, value)
        assert eccodes.codes_get(handle, "shortName") == SHORT_NAMES[name]
    finally:
        eccodes.codes_release(handle)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("subset_20201214_hrrr.t00z.wrfsfcf12.grib2", ["precip_run", "precip_1h"]),
        ("hrrr.t06z.wrfsfcf01-TMP.grib2", ["skt"]),
    ],
)
def test_each_real_message_is_one_variable(file: str, expected: list[str]) -> None:
    if not (REAL / file).exists():
        pytest.skip("the real file is not here")
    with (REAL / file).open("rb") as stream:
        messages = scan_messages(stream, file)
    named = []
    for message in messages:
        hits = [
            entry.id
            for entry in ENTRIES
            if entry.grib
            and selects(entry.grib, _span(entry.grib, message.window_minutes), message)
        ]
        named += hits
    assert named == expected


def _span(selector: GribSelector, run_minutes: float) -> float:
    """The span that the selector wants, where one without a window means the whole run."""
    if selector.step == "instant":
        return 0.0
    if selector.window:
        return selector.window.seconds / 60
    return run_minutes if run_minutes != 60 else -1.0
