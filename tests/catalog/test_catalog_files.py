"""Every file of the catalog is a test case."""

from __future__ import annotations

import importlib
import re
from itertools import combinations
from pathlib import Path

import intake
import pytest

from wxreg.artifacts.digests import tree_digest
from wxreg.ids import DataRef
from wxreg.library.loading import Library
from wxreg.specs.timeaxis import minutes_since_epoch
from wxreg.specs.units import conversion
from wxreg.specs.variables import VariableEntry

ROOT = Path(__file__).parents[2]
LIBRARY = Library(ROOT)
LEXICON = LIBRARY.lexicon()
DATASETS = LIBRARY.ids("dataset")
VERSIONS = [DataRef(d, v) for d in DATASETS for v in LIBRARY.versions(d)]
_SCHEMA = re.compile(r"# yaml-language-server: \$schema=(\S+)")


def test_the_walk_found_the_catalogs() -> None:
    assert {"hrrr", "sevir", "conus404", "era5", "cmip6"} <= set(DATASETS)
    assert {"prism", "eobs", "cerra", "ghcn", "mrms"} <= set(DATASETS)
    assert {DataRef("hrrr", "mini-1"), DataRef("hrrr", "mini-2")} <= set(VERSIONS)


@pytest.mark.parametrize("file", sorted((ROOT / "catalog").rglob("*.yaml")), ids=lambda f: f.stem)
def test_the_first_line_names_the_schema(file: Path) -> None:
    found = _SCHEMA.fullmatch(file.read_text(encoding="utf-8").splitlines()[0])
    assert found
    assert (file.parent / found[1]).resolve().parent == ROOT / "src" / "wxreg" / "schemas"


@pytest.mark.parametrize("dataset", DATASETS)
def test_intake_opens_and_describes_every_source(dataset: str) -> None:
    catalog = intake.open_catalog(str(ROOT / "catalog" / f"{dataset}.yaml"))
    sources = LIBRARY.sources(dataset)
    assert set(catalog) == set(sources) != set()
    for name in catalog:
        described = catalog[name].describe()
        assert described["args"]["dataset"] == dataset
        assert described["metadata"]["layout"] == sources[name].metadata.layout


@pytest.mark.parametrize("dataset", DATASETS)
def test_drivers_exist_and_read_the_layout_that_is_declared(dataset: str) -> None:
    for source in LIBRARY.sources(dataset).values():
        module, _, name = source.driver.rpartition(".")
        assert getattr(importlib.import_module(module), name).layout == source.metadata.layout


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_description_says_where_the_data_come_from(dataset: str) -> None:
    description = LIBRARY.description(dataset)
    assert description.producer
    assert description.citation
    assert description.licence.attribution
    assert description.licence.url
    assert LIBRARY.entries(dataset)
    assert description.time.stamp


def test_licences_do_not_promise_what_the_producers_forbid() -> None:
    assert not LIBRARY.description("eobs").licence.commercial
    assert not LIBRARY.description("cmip6").licence.commercial
    assert LIBRARY.description("hrrr").licence.commercial


@pytest.mark.parametrize("dataset", DATASETS)
def test_variables_map_onto_the_lexicon_and_their_units_convert(dataset: str) -> None:
    for entry in LIBRARY.entries(dataset):
        conversion(entry.units, LEXICON[entry.id].units)
    for rule in LIBRARY.description(dataset).quality:
        assert set(rule.variables) <= set(LEXICON)


@pytest.mark.parametrize("dataset", DATASETS)
def test_both_components_of_a_vector_are_mapped_alike(dataset: str) -> None:
    entries = LIBRARY.variables(dataset)
    for entry in entries.values():
        partner = LEXICON[entry.id].partner
        if partner:
            assert entries[partner].units == entry.units
            assert entries[partner].analysis == entry.analysis


def _apart(a: VariableEntry, b: VariableEntry) -> bool:
    return any(x.until and y.since and x.until <= y.since for x, y in ((a, b), (b, a)))


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_variable_has_one_selector_at_a_time(dataset: str) -> None:
    for a, b in combinations(LIBRARY.entries(dataset), 2):
        assert a.id != b.id or _apart(a, b)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_variable_can_be_found_in_some_format(dataset: str) -> None:
    for entry in LIBRARY.entries(dataset):
        formats = (entry.grib, entry.zarr, entry.netcdf, entry.hdf5, entry.table, entry.raster)
        assert any(formats), entry.id


@pytest.mark.parametrize("dataset", DATASETS)
def test_splits_keep_their_buffer(dataset: str) -> None:
    description = LIBRARY.description(dataset)
    if description.splits:
        assert description.splits.buffer.seconds > 0
        assert not description.splits.too_near(description.time.calendar)


@pytest.mark.parametrize("ref", VERSIONS, ids=str)
def test_a_version_fits_its_dataset(ref: DataRef) -> None:
    version = LIBRARY.version(ref)
    assert version.id == str(ref)
    mapped = set(LIBRARY.variables(ref.dataset))
    assert set(version.variables) <= mapped
    levelled = any(LEXICON[name].levels != "none" for name in version.variables)
    assert bool(version.levels) == levelled
    assert set(version.views) <= set(LIBRARY.description(ref.dataset).views)
    if version.fixes:
        assert version.fixes in LIBRARY.versions(ref.dataset)


@pytest.mark.parametrize("ref", VERSIONS, ids=str)
def test_the_times_of_a_version_are_consistent(ref: DataRef) -> None:
    version = LIBRARY.version(ref)
    axis, splits = version.time, version.splits
    assert axis.start and axis.end
    assert not splits.too_near(axis.calendar)
    assert splits.buffer.seconds > 0
    for name in ("train", "validation", "test"):
        for period in splits.periods(name):
            assert axis.start <= period.start < period.end <= axis.end
    for gap in version.gaps:
        assert axis.start <= gap < axis.end
        since = minutes_since_epoch(gap, axis.calendar)
        offset = since - minutes_since_epoch(axis.start, axis.calendar)
        assert axis.segments or offset * 60 % axis.cadence.seconds == 0


@pytest.mark.parametrize("ref", VERSIONS, ids=str)
def test_the_bytes_are_those_of_the_version(ref: DataRef) -> None:
    folder = ROOT / "data" / ref.dataset / str(ref.version)
    assert folder.with_name(f"{ref.version}.dvc").exists(), "a version without its DVC pin"
    if not folder.exists():
        pytest.skip(f"`reg pull {ref}` first")
    version, found = LIBRARY.version(ref), tree_digest(folder)
    assert (found.digest, len(found.files), found.bytes) == (
        version.content,
        version.files,
        version.bytes,
    )


@pytest.mark.parametrize("dataset", DATASETS)
def test_views_are_made_of_what_the_dataset_has(dataset: str) -> None:
    have = set(LIBRARY.variables(dataset))
    for view in LIBRARY.description(dataset).views.values():
        for name in view.variables:
            derived = LEXICON[name].derived
            assert name in have or (derived and set(derived.inputs) <= have), name
