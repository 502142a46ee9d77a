"""Croissant 1.0: a dataset of the catalog in the JSON-LD that search engines and loaders read.

The catalog's own tables (variables, versions, splits) are record sets with their rows inside, so
that a Croissant reader gets them without any file.  The bytes of a version are a file set, pinned
by the version's tree digest, which is one of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from wxreg.ids import DataRef
from wxreg.library.loading import Library
from wxreg.specs.dataset import Version

_SCHEMA: Final = "https://schema.org/"
_CROISSANT: Final = "http://mlcommons.org/croissant/"
_CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en", "@vocab": _SCHEMA, "citeAs": "cr:citeAs", "column": "cr:column",
    "conformsTo": "dct:conformsTo", "cr": _CROISSANT, "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path",
    "rai": f"{_CROISSANT}RAI/", "recordSet": "cr:recordSet", "references": "cr:references",
    "regex": "cr:regex", "repeated": "cr:repeated", "replace": "cr:replace",
    "samplingRate": "cr:samplingRate", "sc": _SCHEMA, "separator": "cr:separator",
    "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
_ENCODINGS: Final = {
    "hrrr-grib": "application/x-grib2",
    "sevir-hdf5": "application/x-hdf5",
    "cf-netcdf": "application/x-netcdf",
    "cds-netcdf": "application/x-netcdf",
}


def croissant(library: Library, dataset: str) -> dict[str, Any]:
    """The metadata document of a dataset."""
    about = library.description(dataset)
    known = [library.version(DataRef(dataset, name)) for name in library.versions(dataset)]
    return {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": f"{_CROISSANT}1.0",
        "name": dataset,
        "description": f"{about.title}, from {about.producer}.",
        "license": about.licence.url or about.licence.id,
        "creator": {"@type": "sc:Organization", "name": about.producer},
        "publisher": {"@type": "sc:Organization", "name": about.producer},
        "citeAs": " ".join(about.citation),
        "url": f"catalog/{dataset}.yaml",
        "keywords": ["weather", *(entry.id for entry in library.entries(dataset))],
        "distribution": [_files(version) for version in known],
        "recordSet": [
            _records(name, rows) for name, rows in _tables(library, dataset, known) if rows
        ],
    }  # fmt: skip


def _files(version: Version) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": version.name,
        "name": version.name,
        "description": f"{version.title}; tree digest {version.content}",
        "encodingFormat": _ENCODINGS.get(version.layout, "application/x-zarr"),
        "includes": f"data/{version.dataset}/{version.name}/**",
    }


def _tables(
    library: Library, dataset: str, known: Sequence[Version]
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    yield "variables", _variables(library, dataset)
    yield "versions", [_version(library, one) for one in known]
    yield "splits", [row for one in known for row in _splits(one)]


def _variables(library: Library, dataset: str) -> list[dict[str, str]]:
    lexicon = library.lexicon()
    names = library.variables(dataset)
    return [
        {"id": name, "long_name": lexicon[name].long_name, "units": lexicon[name].units,
         "kind": lexicon[name].kind}
        for name in names
    ]  # fmt: skip


def _version(library: Library, version: Version) -> dict[str, str]:
    licence = version.licence or library.description(version.dataset).licence
    return {
        "version": version.id,
        "content": version.content,
        "files": str(version.files),
        "bytes": str(version.bytes),
        "licence": licence.id,
    }


def _splits(version: Version) -> list[dict[str, str]]:
    return [
        {"version": version.id, "split": split, "start": str(one.start), "end": str(one.end)}
        for split in ("train", "validation", "test")
        for one in getattr(version.splits, split)
    ]


def _records(name: str, rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """A record set whose rows stand in the document itself."""
    fields = [
        {"@type": "cr:Field", "@id": f"{name}/{column}", "name": column, "dataType": "sc:Text"}
        for column in rows[0]
    ]
    data = [{f"{name}/{column}": value for column, value in row.items()} for row in rows]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields, "data": data}
