"""The ledger as an object: open it, and append what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, insert

from wxreg.ledger import rows
from wxreg.ledger.changes import changes
from wxreg.ledger.faults import mapped
from wxreg.ledger.log import next_event, parsed
from wxreg.ledger.owner import is_dead, this_process
from wxreg.ledger.records import (
    ArtifactRecord,
    EndState,
    ForecastIndex,
    Head,
    Owner,
    RunRecord,
    RunStart,
)
from wxreg.ledger.schema import WRITE, bring_up_to_date, database_url, open_engine
from wxreg.ledger.tables import TABLES

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The database of runs, artifacts and edges.

    Every method that writes appends to the log and changes the tables in one transaction, and
    returns the new head.  `queries` and `lineage` have what is read, `verify` the check.
    """

    def __init__(self, place: str | Path, clock: Clock = _now) -> None:
        url = database_url(place)
        self.where = url.render_as_string()
        self._clock = clock
        with mapped(self.where):
            self._engine = open_engine(url)
            bring_up_to_date(self._engine)

    @classmethod
    def open(cls, place: str | Path, clock: Clock = _now) -> Self:
        """Open (or make) the ledger at a path or URL, and close runs whose process has died."""
        ledger = cls(place, clock)
        ledger.close_dead()
        return ledger

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one unchanging state and never waits for the write lock."""
        with mapped(self.where), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that holds the write lock; all that it does happens, or none of it."""
        with mapped(self.where), self._engine.connect() as connection:
            connection = connection.execution_options(**{WRITE: True})
            with connection.begin():
                yield connection

    def head(self) -> Head:
        """The end of the log now."""
        with self.reading() as connection:
            return rows.read_head(connection)

    def begin(self, start: RunStart, owner: Owner | None = None) -> Head:
        """Record that a run begins, in this process unless another owner is given."""
        run = {
            "id": start.id,
            "kind": start.kind,
            "plan": start.plan,
            "code": start.code,
            "environment": start.environment,
            "owner": asdict(owner or this_process()),
            "details": start.details,
            "documents": {name: rows.text_digest(text) for name, text in start.documents.items()},
        }
        with self.writing() as connection:
            rows.must_be_new(connection, start.id)
            rows.keep_documents(connection, start.documents.values())
            return self._append(connection, "run-began", {"run": run, "inputs": start.inputs})

    def running(self, run: str) -> Head:
        """Record that a run has started its work."""
        with self.writing() as connection:
            rows.must_be_open(connection, run)
            return self._append(connection, "run-running", {"id": run})

    def end(self, run: str, state: EndState, outcome: Mapping[str, Any] | None = None) -> Head:
        """Record how a run ended."""
        with self.writing() as connection:
            rows.must_be_open(connection, run)
            data = {"id": run, "state": state, "outcome": outcome or {}}
            return self._append(connection, "run-ended", data)

    def restore(self, run: RunRecord, inputs: Mapping[str, str], documents: Iterable[str]) -> Head:
        """Take in a run whose record was kept elsewhere, as it was, with its long texts."""
        with self.writing() as connection:
            rows.must_be_new(connection, run.id)
            rows.keep_documents(connection, documents)
            data = {"run": asdict(run), "inputs": inputs}
            return self._append(connection, "run-restored", data)

    def register(
        self,
        artifact: ArtifactRecord,
        forecast: ForecastIndex | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> Head:
        """Record an artifact, its edge from the run that made it, and a forecast's payload.

        ``sources`` maps what it was made from to the role, where the run does not say it: the
        forecast of an export, the raw weights of averaged ones.
        """
        with self.writing() as connection:
            if forecast is not None:
                self._index(connection, forecast)
            data = {"artifact": asdict(artifact), "sources": sources or {}}
            return self._append(connection, "artifact-registered", data)

    def seen(self, sha256: str, path: str, mtime_ns: int) -> Head:
        """Record that an artifact was checked in full, with its new cached time."""
        with self.writing() as connection:
            rows.must_be_registered(connection, sha256, path)
            data = {"sha256": sha256, "path": path, "mtime_ns": mtime_ns}
            return self._append(connection, "artifact-seen", data)

    def removed(self, sha256: str, path: str) -> Head:
        """Record that an artifact's bytes were deleted on purpose."""
        with self.writing() as connection:
            rows.must_be_registered(connection, sha256, path)
            return self._append(connection, "artifact-removed", {"sha256": sha256, "path": path})

    def close_dead(self) -> tuple[str, ...]:
        """End, as killed, every open run whose process certainly died; returns their ids."""
        with self.reading() as connection:
            dead = {run for run, owner in rows.open_runs(connection) if is_dead(owner)}
        if not dead:
            return ()
        outcome = {"reason": "its process died without a word"}
        with self.writing() as connection:
            closed = [run for run, _ in rows.open_runs(connection) if run in dead]
            for run in closed:
                data = {"id": run, "state": "killed", "outcome": outcome}
                self._append(connection, "run-ended", data)
        return tuple(closed)

    def _index(self, connection: Connection, forecast: ForecastIndex) -> None:
        number, new = rows.forecast_number(connection, forecast.sha256)
        if not new:
            return
        prefixes = sorted({rows.signed(prefix) for prefix in forecast.prefixes})
        data = {
            "number": number,
            "sha256": forecast.sha256,
            "root": forecast.root,
            "fields": len(prefixes),
            "prefixes": rows.prefixes_digest(prefixes),
        }
        self._append(connection, "forecast-indexed", data)
        if prefixes:
            payload = [{"prefix": prefix, "forecast": number} for prefix in prefixes]
            connection.execute(insert(TABLES["payload"]), payload)

    def _append(self, connection: Connection, kind: str, data: Mapping[str, Any]) -> Head:
        at = self._clock().astimezone(UTC).isoformat(timespec="microseconds")
        event = next_event(rows.read_head(connection), kind, at, data)
        connection.execute(insert(TABLES["events"]).values(**asdict(event)))
        for change in changes(kind, at, parsed(event)["data"]):
            rows.carry_out(connection, change)
        return Head(event.sequence, event.hash)
