"""Fetching files of a public archive: retried, resumed, and never half under a whole name.

A file grows as ``<name>.part`` in pieces; a later call goes on after the pieces that are there,
if the archive still has the same object.  Only a file of the full size gets its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import fsspec

from wxreg.artifacts.sealing import storage_errors
from wxreg.data.patience import ATTEMPTS, WAIT, passing
from wxreg.errors import ExternalError
from wxreg.ids import inside

_PIECE: Final = 8 << 20
Outcome = Literal["fetched", "there", "missing", "failed"]


@dataclass(frozen=True)
class Archive:
    """Where files are fetched from, and with how much patience."""

    root: str
    """``https://…`` or ``s3://bucket``; names are relative to it."""
    storage: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = ATTEMPTS
    wait: float = WAIT
    """Seconds before the second attempt; doubled each time."""
    timeout: float = 60.0
    """Seconds one piece may take."""
    parallel: int = 4


@dataclass(frozen=True)
class FetchReport:
    """What became of each file."""

    outcomes: Mapping[str, Outcome]
    reasons: Mapping[str, str]
    """Why a file failed."""
    bytes: int
    """Bytes that were moved now."""

    def named(self, outcome: Outcome) -> list[str]:
        """The files with that outcome."""
        return [name for name, found in self.outcomes.items() if found == outcome]

    def check(self) -> None:
        """Raise if any file failed; missing files are gaps and no failure."""
        failed = self.named("failed")
        if failed:
            raise ExternalError(
                "REG-735",
                f"{len(failed)} of {len(self.outcomes)} files could not be fetched; the first: "
                f"{failed[0]}: {self.reasons[failed[0]]}",
                hint="run the same command again: it goes on where it stopped",
            )


def fetch(
    archive: Archive,
    names: Iterable[str],
    folder: Path,
    progress: Callable[[str, Outcome], None] | None = None,
) -> FetchReport:
    """Fetch the named files into ``folder`` under the same names."""
    outcomes: dict[str, Outcome] = {}
    reasons: dict[str, str] = {}
    moved = 0
    wanted = list(dict.fromkeys(names))
    with ThreadPoolExecutor(archive.parallel) as pool:
        jobs = [_Download(archive, name, inside(folder, name)) for name in wanted]
        for job, outcome in zip(jobs, pool.map(_Download.run, jobs), strict=True):
            outcomes[job.name] = outcome
            moved += job.moved
            if outcome == "failed":
                reasons[job.name] = job.reason
            if progress is not None:
                progress(job.name, outcome)
    return FetchReport(outcomes, reasons, moved)


class _Download:
    """One file on its way."""

    def __init__(self, archive: Archive, name: str, target: Path) -> None:
        self.archive, self.name, self.target = archive, name, target
        self.moved, self.reason = 0, ""

    def run(self) -> Outcome:
        """Try as often as the archive's patience allows."""
        for attempt in range(self.archive.attempts):
            if attempt:
                time.sleep(self.archive.wait * 2 ** (attempt - 1))
            try:
                return self._once()
            except Exception as error:
                if isinstance(error, FileNotFoundError) and not passing(error):
                    return "missing"
                if not (passing(error) or isinstance(error, OSError)):
                    raise
                self.reason = f"{type(error).__name__}: {error.__cause__ or error}"
        return "failed"

    def _once(self) -> Outcome:
        system, place = self._system()
        about = system.info(place)
        size = about.get("size")
        if not isinstance(size, int):
            raise _Short("the archive does not say how large the file is")
        if self.target.is_file() and self.target.stat().st_size == size:
            return "there"
        with storage_errors(self.target):
            self._grow(system, place, size, _mark(about))
        return "fetched"

    def _system(self) -> tuple[Any, str]:
        place = f"{self.archive.root.rstrip('/')}/{self.name}"
        options = dict(self.archive.storage)
        if place.startswith("http"):
            import aiohttp

            limit = aiohttp.ClientTimeout(total=self.archive.timeout)
            options.setdefault("client_kwargs", {"timeout": limit})
        system, path = fsspec.core.url_to_fs(place, **options, use_listings_cache=False)
        return system, path

    def _grow(self, system: Any, place: str, size: int, mark: str) -> None:
        """Add the pieces that are not there yet; rename when all are."""
        part = self.target.with_name(self.target.name + ".part")
        note = self.target.with_name(self.target.name + ".part.json")
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if not note.is_file() or json.loads(note.read_text()) != mark:
            part.unlink(missing_ok=True)
            note.write_text(json.dumps(mark))
        with part.open("ab") as stream:
            have = stream.tell()
            while have < size:
                piece = system.cat_file(place, start=have, end=min(have + _PIECE, size))
                stream.write(piece)
                stream.flush()
                self.moved += len(piece)
                if len(piece) != min(_PIECE, size - have):
                    raise _Short(f"{len(piece)} bytes came where more were promised")
                have += len(piece)
            os.fsync(stream.fileno())
        if part.stat().st_size != size:
            part.unlink()
            raise _Short("the pieces are longer than the file")
        part.replace(self.target)
        note.unlink()


class _Short(OSError):
    """Fewer bytes than promised."""


def _mark(about: Mapping[str, Any]) -> str:
    """What tells this object from a later one of the same name."""
    told = [about.get("size"), about.get("ETag"), str(about.get("LastModified", ""))]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
