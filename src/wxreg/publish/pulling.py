"""``reg pull ORG/NAME@REVISION``: a published model, verified and entered in the ledger."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

from pydantic import ValidationError

from wxreg.artifacts.checkpoint_file import read_checkpoint
from wxreg.artifacts.digests import tree_digest
from wxreg.artifacts.hub import Repository
from wxreg.artifacts.layout import Layout, record_beside
from wxreg.artifacts.sealing import Seal, check_seal, seal, writing_file
from wxreg.audit.restoring import restore_artifact, restore_run
from wxreg.audit.signing import verify_signature
from wxreg.errors import Conflict, IntegrityError, NotFound, RegError
from wxreg.ids import inside
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.reading import read_values
from wxreg.publish.evidence import checkpoint_name
from wxreg.publish.release import ENTRIES, LINEAGE, RUN, SIGNATURE, WEIGHTS
from wxreg.specs.plan import TrainPlan
from wxreg.specs.variables import Lexicon, Variable

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
    signature: Literal["verified", "unchecked", "none"]
    """Whether it is signed, and whether a key was at hand to check that."""


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
        restore_run(root, ledger, run)
        origin = {"repo": repository.id, "commit": commit}
        target = _take_weights(root, ledger, folder, record, origin)
    return Pulled(
        repository.id,
        commit,
        record.id,
        target,
        str(body["checkpoint"]["sha256"]),
        tuple(sorted(entries)),
        "verified" if key else "unchecked" if SIGNATURE in paths else "none",
    )


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
        standing = _standing(here, folder / file.path)
        if standing == "missing":
            missing.append(file.path)
        elif standing == "differs":
            differing.append(file.path)
    if differing:
        raise Conflict(
            "REG-683",
            f"other files are here already: {', '.join(differing)}",
            where=str(root),
            hint="pull into a workspace of its own: `reg init --bare FOLDER`",
        )
    return missing


def _standing(here: Path, there: Path) -> Literal["missing", "same", "differs"]:
    """How a published file stands to that of this workspace.

    A lexicon that says nothing else of any variable counts as missing where it is the smaller
    one, and as the same where it is the larger one.
    """
    if not here.exists():
        return "missing"
    if here.read_bytes() == there.read_bytes():
        return "same"
    if there.name != "lexicon.yaml":
        return "differs"
    try:
        mine, theirs = _variables(here), _variables(there)
    except (RegError, ValidationError):
        return "differs"
    if any(mine[name] != theirs[name] for name in mine.keys() & theirs.keys()):
        return "differs"
    return "missing" if mine.keys() <= theirs.keys() else (
        "same" if theirs.keys() <= mine.keys() else "differs"
    )  # fmt: skip


def _variables(lexicon: Path) -> dict[str, Variable]:
    return Lexicon.from_json(json.dumps(read_values(lexicon, None))).by_id()


def _enter(root: Path, folder: Path, entries: list[str]) -> None:
    for path in entries:
        with writing_file(root / path) as aside:
            aside.write_bytes((folder / ENTRIES / path).read_bytes())


def _take_weights(
    root: Path, ledger: Ledger, folder: Path, record: RunRecord, origin: Mapping[str, str]
) -> Path:
    """Put the weights in place, sealed as from ``origin``, and enter them in the ledger."""
    target = Layout(root).checkpoint(record.id, checkpoint_name(record))
    if not (target.is_file() and record_beside(target).is_file()):
        with writing_file(target) as aside:
            shutil.copyfile(folder / WEIGHTS, aside)
        now, head = datetime.now(UTC).isoformat(timespec="seconds"), ledger.head()
        sha256, size = str(record.outcome["checkpoint"]), target.stat().st_size
        place = (head.sequence, head.hash)
        seal(target, Seal("checkpoint", sha256, size, now, record.id, place, {}, origin))
    restore_artifact(root, ledger, target, check_seal(target))
    return target


def _tampered(repository: Repository, what: str) -> IntegrityError:
    hint = "pull again; if it stays so, tell the publisher: these bytes are not to be trusted"
    return IntegrityError("REG-581", what, where=repository.id, hint=hint)
