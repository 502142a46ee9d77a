"""``reg publish``: one guarded commit, read back in full, and tagged last.

Every step first looks at what is there already, so a run that was killed anywhere is simply
run again: the same content is found, not sent twice.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wxreg.artifacts.digests import FileDigest, file_digest
from wxreg.artifacts.hub import Repository
from wxreg.artifacts.layout import new_run_id
from wxreg.canonical import digest
from wxreg.errors import Conflict, IntegrityError
from wxreg.ledger import queries
from wxreg.ledger.records import RunStart
from wxreg.ledger.store import Ledger
from wxreg.publish.evidence import Evidence
from wxreg.publish.release import LINEAGE, SIGNATURE, Release, content_of


@dataclass(frozen=True)
class Published:
    """A release as the Hub holds it."""

    repo: str
    revision: str
    commit: str
    tag: str
    files: tuple[FileDigest, ...]

    def as_json(self) -> dict[str, Any]:
        """The document of ``reg publish --json``."""
        files = [{"path": file.path, "sha256": file.sha256} for file in self.files]
        return {"repo": self.repo, "revision": self.revision, "commit": self.commit,
                "tag": self.tag, "files": files}  # fmt: skip


def publish(
    ledger: Ledger, evidence: Evidence, release: Release, repository: Repository
) -> Published:
    """Bring the release to the Hub and record its commit; the same release twice is one."""
    repository.create()
    parent = repository.head()
    commit, files = _committed(release, repository, parent)
    tag = _tagged(evidence, repository, commit, release)
    published = Published(repository.id, repository.branch, commit, tag, files)
    _record(ledger, evidence, published)
    return published


def _committed(
    release: Release, repository: Repository, parent: str
) -> tuple[str, tuple[FileDigest, ...]]:
    """The commit that holds the release: the head if it does already, else a new one."""
    with tempfile.TemporaryDirectory(prefix="reg-publish-") as place:
        if _holds(release, repository, parent, Path(place)):
            files, damaged = _read_back(repository, parent, Path(place), release, same=True)
            if not damaged:
                return parent, files
    message = f"Release {_content(release)['model']} ({_identity(release)[:12]})"
    commit = repository.commit(release.folder, release.files, parent, message)
    with tempfile.TemporaryDirectory(prefix="reg-publish-") as place:
        files, damaged = _read_back(repository, commit, Path(place), release, same=False)
    if damaged:
        raise IntegrityError(
            "REG-581",
            f"{', '.join(damaged)} came back as other bytes than were sent; nothing is tagged",
            where=f"{repository.id}@{commit[:12]}",
            hint="publish again: a further commit replaces what is damaged",
        )
    return commit, files


def _holds(release: Release, repository: Repository, commit: str, place: Path) -> bool:
    """Whether a commit has this release, whatever its head of the log and signature say."""
    if set(repository.files(commit)) - {".gitattributes"} != set(release.paths):
        return False
    repository.download(LINEAGE, commit, place)
    try:
        there = json.loads((place / LINEAGE).read_bytes())
    except ValueError:
        return False
    return isinstance(there, dict) and content_of(there) == _content(release)


def _read_back(
    repository: Repository, commit: str, place: Path, release: Release, *, same: bool
) -> tuple[tuple[FileDigest, ...], tuple[str, ...]]:
    """Fetch every file again: what the Hub holds, and which of it is not what we have.

    Where the release was found there already (``same``), its lineage file and signature are the
    ones of the first time.
    """
    found, damaged = [], []
    for file in release.files:
        repository.download(file.path, commit, place)
        fetched = place / file.path
        sha256 = file_digest(fetched)
        found.append(FileDigest(file.path, fetched.stat().st_size, sha256))
        if sha256 != file.sha256 and not (same and file.path in (LINEAGE, SIGNATURE)):
            damaged.append(file.path)
    return tuple(found), tuple(damaged)


def _tagged(evidence: Evidence, repository: Repository, commit: str, release: Release) -> str:
    """The tag of the commit: the one it has, else the next ``vN``."""
    tags = repository.tags()
    known = sorted(tag for tag, at in tags.items() if at == commit and _number(tag))
    if known:
        return known[-1]
    name = f"v{max(map(_number, tags), default=0) + 1}"
    repository.tag(name, commit, f"{evidence.model} {_identity(release)[:12]}")
    if repository.tags().get(name) != commit:
        what = f"{name} stands for another commit"
        raise Conflict("REG-682", what, where=repository.id, hint="publish again")
    return name


def _number(tag: str) -> int:
    return int(tag[1:]) if tag[:1] == "v" and tag[1:].isdigit() else 0


def _content(release: Release) -> dict[str, Any]:
    body: Mapping[str, Any] = json.loads((release.folder / LINEAGE).read_bytes())
    return content_of(body)


def _identity(release: Release) -> str:
    return digest("release", _content(release))


def _record(ledger: Ledger, evidence: Evidence, published: Published) -> None:
    """One finished run of the kind ``publish`` for each commit, however often it was asked for."""
    outcome = published.as_json()
    for run in queries.runs(ledger, kind="publish", state="finished"):
        if run.outcome == outcome:
            return
    name = new_run_id("publish", datetime.now(UTC), secrets.token_hex(3))
    details = {"model": evidence.model, "repo": published.repo}
    ledger.begin(RunStart(name, "publish", details=details, inputs={evidence.sha256: "checkpoint"}))
    ledger.running(name)
    ledger.end(name, "finished", outcome)
