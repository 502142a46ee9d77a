"""``reg pull ORG/NAME@REVISION``: a published model, verified and entered in the ledger."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from wxreg.artifacts.checkpoint_file import read_checkpoint
from wxreg.artifacts.digests import tree_digest
from wxreg.artifacts.hub import Repository
from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import Seal, seal, writing_file
from wxreg.audit.signing import verify_signature
from wxreg.errors import Conflict, IntegrityError, NotFound
from wxreg.ids import inside
from wxreg.ledger import queries
from wxreg.ledger.records import ArtifactRecord, RunRecord
from wxreg.ledger.store import Ledger
from wxreg.publish.evidence import checkpoint_name
from wxreg.publish.release import ENTRIES, LINEAGE, RUN, SIGNATURE, WEIGHTS
from wxreg.specs.plan import TrainPlan

_PROGRAMS: Final = frozenset(
    {".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".npy", ".npz", ".py", ".so"}
)
_ENTRY_FOLDERS: Final = frozenset({"catalog", "registry", "cards", "data"})
_ENTRY_KINDS: Final = frozenset({".yaml", ".dvc"})


@dataclass(frozen=True)
class Pulled:
    """A published model in this workspace."""

    repo: str
    commit: str
    run: str
    checkpoint: Path
    sha256: str
    entries: tuple[str, ...]
    """The catalog and registry files that were added."""


def pull_model(
    root: Path, ledger: Ledger, repository: Repository, revision: str, key: Path | None = None
) -> Pulled:
    """Fetch exactly that revision; nothing enters the workspace before all of it is verified."""
    commit = repository.head(revision)
    paths = [path for path in repository.files(commit) if path != ".gitattributes"]
    _refuse_programs(repository, paths)
    with tempfile.TemporaryDirectory(prefix="reg-pull-") as place:
        folder = Path(place) / "model"
        for path in paths:
            inside(folder, folder / path)
            repository.download(path, commit, folder)
        body = _verified(repository, folder, paths, key)
        record, run = _checked_run(folder, body)
        entries = _new_entries(root, folder / ENTRIES)
        _enter(root, folder, entries)
        target = _take_weights(root, folder, record)
        _register(root, ledger, run, target, body, {"repo": repository.id, "commit": commit})
    sha256 = str(body["checkpoint"]["sha256"])
    return Pulled(repository.id, commit, record.id, target, sha256, tuple(sorted(entries)))


def _refuse_programs(repository: Repository, paths: list[str]) -> None:
    found = [path for path in paths if PurePosixPath(path).suffix.lower() in _PROGRAMS]
    if found:
        raise IntegrityError(
            "REG-582",
            f"it holds {', '.join(found)}, which could run a program when opened",
            where=repository.id,
            hint="ask the publisher for a revision with safetensors only; nothing was fetched",
        )
    if LINEAGE not in paths or WEIGHTS not in paths:
        what = f"it has no {LINEAGE} and {WEIGHTS}, so wxreg did not publish it"
        raise NotFound("REG-381", what, where=repository.id, hint="name a tag such as @v1")


def _verified(
    repository: Repository, folder: Path, paths: list[str], key: Path | None
) -> dict[str, Any]:
    """The lineage, once every file has the digest that it gives and none is besides."""
    try:
        body = json.loads((folder / LINEAGE).read_bytes())
        said = dict(body["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise _tampered(repository, f"{LINEAGE} does not parse: {error}") from error
    if key is not None:
        verify_signature(folder / LINEAGE, key)
    have = {
        file.path: file.sha256
        for file in tree_digest(folder).files
        if file.path in paths and file.path not in (LINEAGE, SIGNATURE)
    }
    wrong = sorted(path for path in {*said, *have} if said.get(path) != have.get(path))
    if wrong:
        raise _tampered(repository, f"{', '.join(wrong)} differ from what {LINEAGE} says")
    if have[WEIGHTS] != body["checkpoint"]["sha256"]:
        raise _tampered(repository, f"{WEIGHTS} is not the checkpoint that {LINEAGE} names")
    read_checkpoint(folder / WEIGHTS)
    return dict(body)


def _checked_run(folder: Path, body: Mapping[str, Any]) -> tuple[RunRecord, dict[str, Any]]:
    """The record of the training, which must be the one that the lineage names."""
    run = json.loads((folder / RUN).read_bytes())
    record = RunRecord.from_json(run["run"])
    plan = TrainPlan.model_validate_json(run["documents"]["plan"])
    agree = (
        record.id == body["training_run"]["id"]
        and record.outcome.get("checkpoint") == body["checkpoint"]["sha256"]
        and plan.digest() == record.plan == body["plan"]
    )
    if not agree:
        what = f"{RUN} is not the training that {LINEAGE} names"
        raise IntegrityError("REG-581", what, where=record.id)
    return record, run


def _new_entries(root: Path, folder: Path) -> list[str]:
    """The entries that are missing here; one that is here must be the same."""
    missing, differing = [], []
    for file in tree_digest(folder).files if folder.is_dir() else ():
        path = PurePosixPath(file.path)
        if path.parts[0] not in _ENTRY_FOLDERS or path.suffix not in _ENTRY_KINDS:
            what = f"{file.path} is no file of a catalog or registry"
            raise IntegrityError("REG-581", what, where=ENTRIES)
        here = inside(root, root / file.path)
        if not here.exists():
            missing.append(file.path)
        elif here.read_bytes() != (folder / file.path).read_bytes():
            differing.append(file.path)
    if differing:
        raise Conflict(
            "REG-683",
            f"other files are here already: {', '.join(differing)}",
            where=str(root),
            hint="pull into a workspace of its own: `reg init --bare FOLDER`, without its lexicon",
        )
    return missing


def _enter(root: Path, folder: Path, entries: list[str]) -> None:
    for path in entries:
        with writing_file(root / path) as aside:
            aside.write_bytes((folder / ENTRIES / path).read_bytes())


def _take_weights(root: Path, folder: Path, record: RunRecord) -> Path:
    target = Layout(root).checkpoint(record.id, checkpoint_name(record))
    with writing_file(target) as aside:
        aside.write_bytes((folder / WEIGHTS).read_bytes())
    return target


def _register(
    root: Path,
    ledger: Ledger,
    run: Mapping[str, Any],
    target: Path,
    body: Mapping[str, Any],
    origin: Mapping[str, str],
) -> None:
    """Restore the training run and enter its checkpoint, each once."""
    record = RunRecord.from_json(run["run"])
    layout, sha256 = Layout(root), str(body["checkpoint"]["sha256"])
    if not queries.runs(ledger, id=record.id):
        ledger.restore(record, run["inputs"], run["documents"].values())
        with writing_file(layout.run_json(record.id)) as aside:
            aside.write_text(json.dumps(run, indent=1, sort_keys=True), encoding="utf-8")
        with writing_file(layout.plan_json(record.id)) as aside:
            aside.write_text(run["documents"]["plan"], encoding="utf-8")
    path, stat = layout.relative(target), target.stat()
    if any(known.path == path for known in queries.artifacts_of(ledger, sha256)):
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    artifact = ArtifactRecord(
        sha256, "checkpoint", path, stat.st_size, now, record.id, stat.st_mtime_ns, None, origin
    )
    head = ledger.register(artifact)
    place = (head.sequence, head.hash)
    seal(target, Seal("checkpoint", sha256, stat.st_size, now, record.id, place, {}, origin))


def _tampered(repository: Repository, what: str) -> IntegrityError:
    hint = "pull again; if it stays so, tell the publisher: these bytes are not to be trusted"
    return IntegrityError("REG-581", what, where=repository.id, hint=hint)
