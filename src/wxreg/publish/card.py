"""``cards/<model>.md``: a person's words and verified records, and no number besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from wxreg.artifacts.hub import ModelHeader, Result, model_header
from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import Seal, measured, seal, write_text, writing_file
from wxreg.audit.licences import licence_of
from wxreg.audit.restoring import restore_artifact
from wxreg.errors import NotFound
from wxreg.ids import DataRef
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.publish.evidence import Evidence, gather
from wxreg.publish.figures import CardFigure, card_figures
from wxreg.publish.lineage import lineage, lineage_digest
from wxreg.publish.loading import REPOSITORY, loading_lines
from wxreg.publish.score_tables import Scored, results, scored
from wxreg.publish.templates import render
from wxreg.specs.card import Card
from wxreg.specs.licence import Licence
from wxreg.specs.model import Model
from wxreg.specs.plan import StorePlan
from wxreg.specs.protocol import Protocol

HUB_LICENCES: Final = {"Apache-2.0": "apache-2.0", "MIT": "mit", "CC-BY-4.0": "cc-by-4.0",
                 "CC-BY-NC-4.0": "cc-by-nc-4.0", "BSD-3-Clause": "bsd-3-clause"}  # fmt: skip
_PACKAGES = ("torch", "lightning", "numpy", "diffusers", "microsoft-aurora")


@dataclass(frozen=True)
class DataShown:
    """One dataset version as the card names it."""

    version: str
    title: str
    content: str
    role: str
    files: int
    licence: Licence
    citation: tuple[str, ...]


def write_card(library: Library, ledger: Ledger, model: str, run: str | None = None) -> Path:
    """Render the card of a training with its figures, and put them in place."""
    evidence = gather(library, ledger, model, run)
    figures = card_figures(library, evidence)
    path = library.root / "cards" / f"{model}.md"
    for figure in figures:
        with writing_file(path.parent / figure.path) as aside:
            aside.write_bytes(figure.png)
    write_text(path, render_card(library, ledger, evidence, figures))
    _enter(library, ledger, path, evidence)
    return path


def _enter(library: Library, ledger: Ledger, path: Path, evidence: Evidence) -> None:
    """Seal the card, so that its checkpoint and scores are found from the file alone."""
    sha256, size = measured(path)
    relative = Layout(library.root).relative(path)
    for former in queries.artifacts_at(ledger, relative):
        if former.removed is None and former.sha256 != sha256:
            ledger.removed(former.sha256, relative)
    sources = {evidence.sha256: "checkpoint"}
    sources |= {found.digest: "scores" for found in evidence.evaluations}
    now, head = datetime.now(UTC).isoformat(timespec="seconds"), ledger.head()
    record = Seal("card", sha256, size, now, None, (head.sequence, head.hash), sources)
    seal(path, record)
    restore_artifact(library.root, ledger, path, record)


def render_card(
    library: Library,
    ledger: Ledger,
    evidence: Evidence,
    figures: Sequence[CardFigure] = (),
    repository: str = REPOSITORY,
) -> str:
    """The whole card: the Hub's header and the rendered template."""
    words = person_words(library, evidence.model)
    model = library.model(evidence.model, evidence.plan.about.scale)
    data = tuple(_data(library, evidence.plan))
    network = network_of(evidence)
    header = model_header(_header(evidence, words, model, data))
    body = render(
        library.root / "cards" / "templates" / "model.md.j2",
        {
            "words": words,
            "model": model,
            "data": data,
            "plan": evidence.plan,
            "run": evidence.run,
            "sha256": evidence.sha256,
            "checkpoint": evidence.checkpoint.stem,
            "numbers": evidence.numbers,
            "settings": dict(evidence.plan.architecture.settings),
            "loss": [loss_part(part) for part in evidence.plan.training.loss],
            "packages": _packages(ledger, evidence),
            "scores": [_scored(library, found) for found in evidence.evaluations],
            "lineage": lineage_digest(lineage(evidence)),
            "figures": figures,
            "repository": repository,
            "network": network,
            "loading": loading_lines(network, repository),
        },
    )
    return f"---\n{header}---\n\n{body}"


def person_words(library: Library, model: str) -> Card:
    """``cards/<model>.yaml``: without it there is no card, since no run knows what is in it."""
    file = library.root / "cards" / f"{model}.yaml"
    if not file.exists():
        hint = "write intended, unsuited, limits and ethics there; `reg schema card` lists the keys"
        what = f"{model} has no words about its use and limits"
        raise NotFound("REG-301", what, where=str(file), hint=hint)
    return library.card(model)


def loss_part(part: Any) -> Mapping[str, Any]:
    """One part of a loss, with its settings as plain values."""
    return {"name": part.name, "weight": part.weight, "settings": dict(part.settings)}


def network_of(evidence: Evidence) -> dict[str, Any] | None:
    """The other library's network that the weights fit as they are; None where it is ours."""
    described = evidence.metadata.get("blueprint", {})
    if described.get("architecture") != "aurora":
        return None  # torch is loaded for none but these
    from wxreg.models.published_network import library_network

    return library_network(described)


def _data(library: Library, plan: Any) -> list[DataShown]:
    sides: dict[str, tuple[StorePlan, list[str]]] = {}
    for role in ("inputs", "targets"):
        side = getattr(plan, role)
        sides.setdefault(side.dataset, (side, []))[1].append(role)
    shown = []
    for name, (side, roles) in sides.items():
        ref = DataRef.parse(name)
        version = library.version(ref)
        shown.append(
            DataShown(
                version=name,
                title=version.title,
                content=side.content,
                role=" and ".join(roles),
                files=version.files,
                licence=licence_of(library, ref),
                citation=library.description(ref.dataset).citation,
            )
        )
    return shown


def _header(
    evidence: Evidence, words: Card, model: Model, data: tuple[DataShown, ...]
) -> ModelHeader:
    licence = HUB_LICENCES.get(model.licence.id)
    return ModelHeader(
        name=evidence.model,
        licence=licence or "other",
        licence_name=None if licence else model.licence.id,
        licence_link=None if licence else model.licence.url,
        tags=tuple(sorted({"weather", "wxreg", model.architecture.name, model.task, *words.tags})),
        datasets=tuple(shown.version.replace("@", "-") for shown in data),
        results=tuple(
            Result(task=model.task, **entry)
            for found in evidence.evaluations
            for entry in results(found)
        ),
    )


def _scored(library: Library, evaluation: Any) -> Scored:
    protocol = library.entry("protocol", evaluation.body["protocol"], Protocol)
    same = protocol.digest() == evaluation.body["protocol_digest"]
    level = protocol.bootstrap.level if same and protocol.bootstrap else None
    return scored(evaluation, level)


def _packages(ledger: Ledger, evidence: Evidence) -> tuple[str, ...]:
    """The packages that matter for the numbers, from the run's own list."""
    documents = evidence.run.documents
    if "installed" not in documents:
        return ()
    lines = queries.document(ledger, documents["installed"]).splitlines()
    return tuple(line for line in lines if line.partition("==")[0] in _PACKAGES)
