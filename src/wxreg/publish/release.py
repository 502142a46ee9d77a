"""The folder of a release: everything that goes to the Hub, made the same way every time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wxreg.artifacts.digests import FileDigest, tree_digest
from wxreg.artifacts.sealing import writing_folder
from wxreg.audit.signing import sign
from wxreg.ids import DataRef
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.publish.card import render_card
from wxreg.publish.evidence import Evidence
from wxreg.publish.lineage import lineage

WEIGHTS: Final = "model.safetensors"
LINEAGE: Final = "lineage.json"
RUN: Final = "run.json"
SIGNATURE: Final = "lineage.json.sig"
ENTRIES: Final = "workspace"
"""Holds the catalog and registry files that the checkpoint needs, by their workspace path."""


@dataclass(frozen=True)
class Release:
    """A folder that is ready to be published."""

    folder: Path
    files: tuple[FileDigest, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file, sorted."""
        return tuple(file.path for file in self.files)


def build_release(
    library: Library, ledger: Ledger, evidence: Evidence, folder: Path, key: Path | None = None
) -> Release:
    """Write the whole tree to ``folder``, which must be new; with ``key``, sign its lineage."""
    with writing_folder(folder) as aside:
        shutil.copyfile(evidence.checkpoint, aside / WEIGHTS)
        _write(aside / "README.md", render_card(library, ledger, evidence))
        _write_json(aside / "config.json", _config(evidence))
        _write_json(aside / "statistics.json", evidence.metadata.get("blueprint", {}).get(
            "statistics", {}))  # fmt: skip
        _write_json(aside / "scores.json", {"evaluations": [e.body for e in evidence.evaluations]})
        _write_json(aside / RUN, queries.run_json(ledger, evidence.run.id))
        _copy_entries(library, evidence, aside / ENTRIES)
        content = tree_digest(aside)
        body = {**lineage(evidence), "files": {f.path: f.sha256 for f in content.files}}
        _write_json(aside / LINEAGE, body)
        if key is not None:
            sign(aside / LINEAGE, key)
    return Release(folder, tree_digest(folder).files)


def content_of(lineage_body: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two releases the same: all but the moving head of the log."""
    return {name: value for name, value in lineage_body.items() if name != "ledger_head"}


def _config(evidence: Evidence) -> dict[str, Any]:
    blueprint = dict(evidence.metadata.get("blueprint", {}))
    return {
        "model": evidence.model,
        "architecture": evidence.plan.architecture.name,
        "settings": dict(evidence.plan.architecture.settings),
        "plan": evidence.plan.digest(),
        "blueprint": blueprint,
    }


def _entry_paths(library: Library, evidence: Evidence) -> set[Path]:
    """The files that resolving this model against its data reads."""
    root, plan = library.root, evidence.plan
    found = {layer.path for layer in library.model_layers(evidence.model, plan.about.scale)}
    found |= {root / "catalog" / "lexicon.yaml", root / "cards" / f"{evidence.model}.yaml"}
    model = library.model(evidence.model, plan.about.scale)
    found.add(library.path("protocol", model.evaluation.protocol))
    for store in (plan.inputs, plan.targets):
        ref = DataRef.parse(store.dataset)
        catalog = root / "catalog"
        found.add(catalog / f"{ref.dataset}.yaml")
        found.add(catalog / ref.dataset / "variables.yaml")
        found.add(catalog / ref.dataset / "versions" / f"{ref.version}.yaml")
        found.add(root / "data" / ref.dataset / f"{ref.version}.dvc")
    for name in plan.about.statistics.values():
        version, _, statistics = name.partition("/")
        found.add(library.statistics_path(DataRef.parse(version), statistics))
    return {path for path in found if path.is_file()}


def _copy_entries(library: Library, evidence: Evidence, target: Path) -> None:
    for path in sorted(_entry_paths(library, evidence)):
        place = target / path.relative_to(library.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_json(path: Path, body: Mapping[str, Any]) -> None:
    _write(path, json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
