"""The card of a dataset: what the catalog says of it and of each of its versions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from wxreg.artifacts.hub import dataset_header
from wxreg.artifacts.sealing import write_text
from wxreg.ids import DataRef
from wxreg.library.loading import Library
from wxreg.publish.card import HUB_LICENCES
from wxreg.publish.croissant import croissant
from wxreg.publish.templates import render
from wxreg.specs.dataset import Version


@dataclass(frozen=True)
class VariableShown:
    """One row of the table of variables."""

    id: str
    long_name: str
    units: str
    kind: str
    source_units: str | None


def write_dataset_card(library: Library, dataset: str) -> tuple[Path, Path]:
    """Write ``cards/<dataset>.md`` and ``cards/<dataset>.croissant.json``."""
    folder = library.root / "cards"
    card, metadata = folder / f"{dataset}.md", folder / f"{dataset}.croissant.json"
    write_text(card, render_dataset_card(library, dataset))
    text = json.dumps(croissant(library, dataset), indent=1, ensure_ascii=False)
    write_text(metadata, text + "\n")
    return card, metadata


def render_dataset_card(library: Library, dataset: str) -> str:
    """The Hub's header and the rendered template."""
    description = library.description(dataset)
    body = render(
        library.root / "cards" / "templates" / "dataset.md.j2",
        {
            "data": description,
            "versions": versions(library, dataset),
            "variables": _variables(library, dataset),
            "sources": library.sources(dataset),
        },
    )
    licence = HUB_LICENCES.get(description.licence.id)
    header = dataset_header(
        description.title,
        licence or "other",
        None if licence else description.licence.id,
        ("weather", "wxreg", dataset),
    )
    return f"---\n{header}---\n\n{body}"


def versions(library: Library, dataset: str) -> tuple[Version, ...]:
    """Every version of a dataset."""
    return tuple(library.version(DataRef(dataset, name)) for name in library.versions(dataset))


def _variables(library: Library, dataset: str) -> tuple[VariableShown, ...]:
    lexicon = library.lexicon()
    return tuple(
        VariableShown(
            id=entry.id,
            long_name=lexicon[entry.id].long_name,
            units=lexicon[entry.id].units,
            kind=lexicon[entry.id].kind,
            source_units=entry.units,
        )
        for entry in library.variables(dataset).values()
    )
