"""`reg log rebuild`: the ledger is an index, and can be made anew from the sealed records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxreg.errors import Conflict, IntegrityError
from wxreg.findings import Finding
from wxreg.ledger.records import ArtifactRecord, ForecastIndex, Head, RunRecord
from wxreg.ledger.store import Ledger

IndexOf = Callable[[Path], ForecastIndex | None]


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild took in, and the records that it could not read."""

    runs: int
    artifacts: int
    findings: tuple[Finding, ...]


def rebuild(
    ledger: Ledger,
    root: Path,
    run_files: Iterable[Path],
    sealed_records: Iterable[Path],
    index_of: IndexOf = lambda path: None,
) -> Rebuilt:
    """Fill an empty ledger from ``run.json`` files and from records beside artifacts.

    ``index_of`` reads the payload index that lies beside a forecast.
    """
    if ledger.head() != Head():
        hint = "move it aside first, then rebuild into a new one"
        raise Conflict("REG-600", "this ledger is not empty", where=ledger.where, hint=hint)
    findings: list[Finding] = []
    runs = _each(run_files, lambda path: _take_run(ledger, path), findings)
    artifacts = _each(
        sealed_records, lambda path: _take_artifact(ledger, root, path, index_of), findings
    )
    return Rebuilt(runs, artifacts, tuple(findings))


def _each(paths: Iterable[Path], take: Callable[[Path], None], findings: list[Finding]) -> int:
    taken = 0
    for path in sorted(paths):
        try:
            take(path)
            taken += 1
        except (OSError, ValueError, KeyError, TypeError, Conflict, IntegrityError) as error:
            what = f"this record was left out: {error}"
            findings.append(Finding("error", "REG-521", str(path), what, "restore this file"))
    return taken


def _take_run(ledger: Ledger, path: Path) -> None:
    body = _json(path)
    run = RunRecord.from_json(body["run"])
    ledger.restore(run, body["inputs"], body["documents"].values())


def _take_artifact(ledger: Ledger, root: Path, path: Path, index_of: IndexOf) -> None:
    body = _json(path)
    place = path.with_name(path.name.removesuffix(".reg.json"))
    artifact = ArtifactRecord(
        sha256=body["sha256"],
        kind=body["kind"],
        path=place.relative_to(root).as_posix(),
        bytes=body["bytes"],
        created=body["created"],
        run=body["run"],
        details=body["details"],
    )
    index = index_of(place) if artifact.kind == "forecast" else None
    ledger.register(artifact, index, body["sources"])


def _json(path: Path) -> dict[str, Any]:
    body = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(body, dict):
        raise ValueError("it is not a JSON object")
    return body
