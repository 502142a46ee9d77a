from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_world import artifact, fill, prefixes, sha

from wxreg.artifacts.layout import record_beside
from wxreg.artifacts.sealing import Seal, seal
from wxreg.errors import Conflict
from wxreg.ledger import queries
from wxreg.ledger.lineage import ancestors, forecasts_holding
from wxreg.ledger.rebuild import rebuild
from wxreg.ledger.records import ForecastIndex
from wxreg.ledger.store import Ledger
from wxreg.ledger.verify import verify

MADE = [
    ("hrrr-mini", "dataset", None, {}),
    ("stats", "statistics", None, {sha("hrrr-mini"): "source"}),
    ("weights", "checkpoint", "train-1", {}),
    ("forecast", "forecast", "sample-1", {}),
    ("export", "export", None, {sha("forecast"): "exported"}),
]


def write_records(ledger: Ledger, root: Path) -> tuple[list[Path], list[Path]]:
    """What a workspace holds beside its artifacts: sealed records and run.json files."""
    sealed, runs = [], []
    for name, kind, run, sources in MADE:
        record = artifact(name, kind, run)
        head = ledger.head()
        seal(
            root / record.path,
            Seal(
                kind=record.kind,
                sha256=record.sha256,
                bytes=record.bytes,
                created=record.created,
                run=record.run,
                head=(head.sequence, head.hash),
                sources=sources,
                details=record.details,
            ),
        )
        sealed.append(record_beside(root / record.path))
    for found in queries.runs(ledger):
        path = root / "runs" / found.id / "run.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(queries.run_json(ledger, found.id)))
        runs.append(path)
    return runs, sealed


def index_of(path: Path) -> ForecastIndex:
    return ForecastIndex(sha(path.name), sha("root"), prefixes(path.name))


def test_a_rebuilt_ledger_knows_what_the_lost_one_knew(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    runs, sealed = write_records(ledger, tmp_path)
    with Ledger.open(tmp_path / "new.db") as new:
        result = rebuild(new, tmp_path, runs, sealed, index_of)
        assert (result.runs, result.artifacts, result.findings) == (3, 5, ())
        assert queries.runs(new) == queries.runs(ledger)
        assert ancestors(new, sha("export")) == ancestors(ledger, sha("export"))
        for kept, lost in zip(queries.artifacts(new), queries.artifacts(ledger), strict=True):
            assert kept == replace(lost, mtime_ns=None, removed=None)
        assert forecasts_holding(new, prefixes("forecast")).full[0].sha256 == sha("forecast")
        assert queries.run_json(new, "train-1") == queries.run_json(ledger, "train-1")
        assert verify(new).ok


def test_a_damaged_record_is_named_and_the_others_are_taken(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    runs, sealed = write_records(ledger, tmp_path)
    runs[0].write_text("{")
    sealed[0].write_text('{"kind": "dataset"}')
    with Ledger.open(tmp_path / "new.db") as new:
        result = rebuild(new, tmp_path, runs, sealed, index_of)
        assert (result.runs, result.artifacts) == (2, 4)
        assert {finding.where for finding in result.findings} == {str(runs[0]), str(sealed[0])}


def test_a_ledger_with_history_is_never_rebuilt_over(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    with pytest.raises(Conflict, match="not empty"):
        rebuild(ledger, tmp_path, [], [])
