"""Every execution leaves a record, also when it fails or is killed."""

from __future__ import annotations

import json
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wxreg.artifacts.layout import Layout, new_run_id
from wxreg.artifacts.sealing import Seal, measured, seal, write_text
from wxreg.ledger import queries
from wxreg.ledger.records import ArtifactRecord, ForecastIndex, RunStart
from wxreg.ledger.store import Ledger
from wxreg.runs.environment import Conditions, code, environment_digest, hardware, installed
from wxreg.specs.plan import Plan

_TERMINATED = 128 + signal.SIGTERM


@dataclass
class Run:
    """One execution under way; its outcome grows until it ends."""

    id: str
    layout: Layout
    ledger: Ledger
    plan: Plan
    outcome: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the run keeps its files."""
        return self.layout.run(self.id)

    def seal(
        self,
        path: Path,
        kind: str,
        sources: Mapping[str, str],
        details: Mapping[str, Any],
        index: ForecastIndex | None = None,
    ) -> str:
        """Seal an artifact that this run made and enter it in the ledger; its SHA-256."""
        sha256, size = (index.sha256, _tree_bytes(path)) if index else measured(path)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        artifact = ArtifactRecord(
            sha256=sha256,
            kind=kind,
            path=self.layout.relative(path),
            bytes=size,
            created=created,
            run=self.id,
            mtime_ns=path.stat().st_mtime_ns,
            details=dict(details),
        )
        head = self.ledger.register(artifact, index, sources)
        place = (head.sequence, head.hash)
        seal(path, Seal(kind, sha256, size, created, self.id, place, sources, details))
        return sha256


def _tree_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


@contextmanager
def recorded(
    root: Path,
    ledger: Ledger,
    plan: Plan,
    conditions: Conditions,
    inputs: Mapping[str, str],
    details: Mapping[str, Any],
) -> Iterator[Run]:
    """Begin a run, and end it as finished, failed or killed, whatever happens inside."""
    layout = Layout(root)
    run = Run(new_run_id(plan.KIND, datetime.now(UTC), secrets.token_hex(3)), layout, ledger, plan)
    run.folder.mkdir(parents=True)
    _begin(run, conditions, inputs, details)
    began = time.monotonic()
    state: Any = "failed"
    try:
        with _terminating():
            ledger.running(run.id)
            yield run
        state = "finished"
    except (KeyboardInterrupt, SystemExit):
        state = "killed"
        raise
    except BaseException as error:
        run.outcome["error"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        run.outcome["seconds"] = round(time.monotonic() - began, 3)
        ledger.end(run.id, state, run.outcome)
        write_run_json(run)


@contextmanager
def _terminating() -> Iterator[None]:
    """SIGTERM leaves the block as an exit, so that the run is recorded as killed."""

    def leave(_signal: int, _frame: Any) -> None:
        raise SystemExit(_TERMINATED)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _begin(
    run: Run, conditions: Conditions, inputs: Mapping[str, str], details: Mapping[str, Any]
) -> None:
    plan_text = json.dumps(run.plan.model_dump(mode="json"), indent=1, sort_keys=True)
    write_text(run.layout.plan_json(run.id), plan_text)
    documents = {"plan": plan_text, "installed": "\n".join(installed())}
    if code().patch:
        documents["patch"] = code().patch
    start = RunStart(
        id=run.id,
        kind=run.plan.KIND,
        plan=run.plan.digest(),
        code=code().digest,
        environment=environment_digest(),
        details={
            **details,
            "version": code().version,
            "commit": code().commit,
            "conditions": conditions.as_json(),
            "hardware": hardware(),
        },
        inputs=inputs,
        documents=documents,
    )
    run.ledger.begin(start)


def write_run_json(run: Run) -> None:
    """Leave the record beside the run's files, so that no database is needed to read it."""
    record = queries.run_json(run.ledger, run.id)
    write_text(run.layout.run_json(run.id), json.dumps(record, indent=1, sort_keys=True))


def reusable(ledger: Ledger, plan: Plan) -> tuple[Any | None, str]:
    """A finished run of this plan to use again, or why an earlier one cannot be."""
    found = queries.reusable_run(ledger, plan.digest(), code().digest, environment_digest())
    if found is not None:
        return found, ""
    earlier = [
        run for run in queries.runs_of_plan(ledger, plan.digest()) if run.state == "finished"
    ]
    if not earlier:
        return None, ""
    last = earlier[0]
    changed = [
        name
        for name, have, now in (
            ("the code", last.code, code().digest),
            ("the installed packages", last.environment, environment_digest()),
        )
        if have != now
    ]
    return None, f"{last.id} ran this plan, but {' and '.join(changed)} changed since"
