"""Runs and artifacts that were made elsewhere, entered in the ledger of this workspace once.

A bundle and a published model come in this way, after whoever took them in has verified them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import Seal, write_text
from wxreg.audit.reindex import forecast_index
from wxreg.ledger import queries
from wxreg.ledger.records import ArtifactRecord, RunRecord
from wxreg.ledger.store import Ledger


def restore_run(root: Path, ledger: Ledger, body: Mapping[str, Any]) -> bool:
    """Enter the run of a ``run.json`` unless it is known, and put its record and plan in place."""
    run, layout = RunRecord.from_json(body["run"]), Layout(root)
    if not layout.run_json(run.id).is_file():
        write_text(layout.run_json(run.id), json.dumps(body, indent=1, sort_keys=True))
    plan = body["documents"].get("plan")
    if plan is not None and not layout.plan_json(run.id).is_file():
        write_text(layout.plan_json(run.id), plan)
    if queries.runs(ledger, id=run.id):
        return False
    ledger.restore(run, body["inputs"], body["documents"].values())
    return True


def restore_artifact(root: Path, ledger: Ledger, place: Path, record: Seal) -> bool:
    """Enter a sealed artifact that lies in place already, unless that place is known."""
    relative = Layout(root).relative(place)
    known = queries.artifacts_of(ledger, record.sha256)
    if any(one.path == relative and one.removed is None for one in known):
        return False
    artifact = ArtifactRecord(
        sha256=record.sha256,
        kind=record.kind,
        path=relative,
        bytes=record.bytes,
        created=record.created,
        run=record.run,
        mtime_ns=place.stat().st_mtime_ns,
        details=record.details,
    )
    index = forecast_index(place) if record.kind == "forecast" else None
    ledger.register(artifact, index, record.sources)
    return True
