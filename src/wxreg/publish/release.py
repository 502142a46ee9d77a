"""The folder of a release: everything that goes to the Hub, made the same way every time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wxreg.artifacts.digests import FileDigest, file_digest, tree_files
from wxreg.artifacts.sealing import writing_folder
from wxreg.audit.licences import licence_conflicts
from wxreg.audit.signing import sign
from wxreg.errors import Incompatible
from wxreg.ids import DataRef
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.publish.card import network_of, render_card
from wxreg.publish.evidence import Evidence
from wxreg.publish.figures import card_figures
from wxreg.publish.lineage import lineage
from wxreg.publish.loading import REPOSITORY

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
    library: Library,
    ledger: Ledger,
    evidence: Evidence,
    folder: Path,
    key: Path | None = None,
    repository: str = REPOSITORY,
) -> Release:
    """Write the whole tree to ``folder``, which must be new; with ``key``, sign its lineage.

    Refused where what the checkpoint was made from forbids what its licence offers.  Each byte
    is hashed once: the weights were when the evidence was gathered.
    """
    _refuse_conflicts(library, ledger, evidence)
    figures = card_figures(library, evidence)
    network = network_of(evidence)
    with writing_folder(folder) as aside:
        _write(aside / "README.md", render_card(library, ledger, evidence, figures, repository))
        for figure in figures:
            (aside / figure.path).parent.mkdir(exist_ok=True)
            (aside / figure.path).write_bytes(figure.png)
        _write_json(aside / "config.json", _config(evidence, network))
        _write_json(aside / "statistics.json", evidence.metadata.get("blueprint", {}).get(
            "statistics", {}))  # fmt: skip
        _write_json(aside / "scores.json", {"evaluations": [e.body for e in evidence.evaluations]})
        _write_json(aside / RUN, queries.run_json(ledger, evidence.run.id))
        _copy_entries(library, evidence, aside / ENTRIES)
        size = shutil.copyfile(evidence.checkpoint, aside / WEIGHTS).stat().st_size
        weights = FileDigest(WEIGHTS, size, evidence.sha256)
        files = [weights, *_digests(aside, known={WEIGHTS})]
        body = {**lineage(evidence), "files": {f.path: f.sha256 for f in files}}
        _write_json(aside / LINEAGE, body)
        if key is not None:
            sign(aside / LINEAGE, key)
        files += _digests(aside, known={file.path for file in files})
    return Release(folder, tuple(sorted(files)))


def _digests(folder: Path, known: set[str]) -> list[FileDigest]:
    """The digests of the files that are not known yet."""
    return [
        FileDigest(name, (folder / name).stat().st_size, file_digest(folder / name))
        for name in tree_files(folder)
        if name not in known
    ]


def _refuse_conflicts(library: Library, ledger: Ledger, evidence: Evidence) -> None:
    conflicts = licence_conflicts(library, ledger, evidence.run)
    if conflicts:
        offered = library.model(evidence.model).licence.id
        raise Incompatible(
            "REG-471",
            f"{evidence.model} is offered under {offered}; {'; '.join(conflicts)}",
            where=f"registry/models/{evidence.model}.yaml",
            hint="give the model a non-commercial licence, or train it on other data",
        )


def content_of(lineage_body: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two releases the same: all but the moving head of the log."""
    return {name: value for name, value in lineage_body.items() if name != "ledger_head"}


def _config(evidence: Evidence, network: Mapping[str, Any] | None) -> dict[str, Any]:
    blueprint = dict(evidence.metadata.get("blueprint", {}))
    return {
        **({"network": network} if network else {}),
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
    found |= {root / "catalog" / "lexicon.yaml", *library.card_files(evidence.model)}
    model = library.model(evidence.model, plan.about.scale)
    found.add(library.path("protocol", model.evaluation.protocol))
    for baseline in set(model.evaluation.baselines) & set(library.ids("model")):
        found |= {layer.path for layer in library.model_layers(baseline, None)}
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


def _card_paths(library: Library, model: str | None) -> Iterator[Path]:
    """A person's words about the model, and those that they continue."""
    while model is not None:
        path = library.root / "cards" / f"{model}.yaml"
        yield path
        model = library.values(path).get("base")


def _copy_entries(library: Library, evidence: Evidence, target: Path) -> None:
    for path in sorted(_entry_paths(library, evidence)):
        place = target / path.relative_to(library.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_json(path: Path, body: Mapping[str, Any]) -> None:
    _write(path, json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
