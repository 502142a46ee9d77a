"""The thin layer over DVC: exactly one version's bytes, in, out, and whole.

DVC's MD5 is the address of the bytes; our SHA-256 tree digest is what is believed.  DVC trusts
its own cache, so after every pull the digest is verified, and damaged cache objects are dropped
and fetched again from the remote.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from wxreg.artifacts.digests import tree_digest
from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import storage_errors, write_text
from wxreg.artifacts.stat_manifest import is_unchanged, remember_whole
from wxreg.canonical import short
from wxreg.errors import Conflict, ExternalError, IntegrityError, NotFound, StorageError
from wxreg.ids import near_names

CHECKPOINTS: Final = "checkpoints"
"""The folder of ``data/`` where kept checkpoints are pinned, one version a run."""

VersionState = Literal["absent", "whole", "changed"]


@dataclass(frozen=True)
class PullReport:
    """What a pull did; ``repaired`` names files whose damaged copies were fetched again."""

    folder: Path
    changed: bool
    repaired: tuple[str, ...] = ()


@dataclass(frozen=True)
class AddReport:
    """A new version: its pin, and the digest that the catalog must record."""

    pin: Path
    digest: str
    files: int
    bytes: int


def pull_version(root: Path, dataset: str, version: str, digest: str) -> PullReport:
    """Bring ``data/<dataset>/<version>/`` to exactly the bytes of ``digest``.

    An untouched folder that was verified before costs one stat a file, and no DVC.  Otherwise
    the folder is made to be the version: files in it that differ are replaced.
    """
    layout = Layout(root)
    folder, manifest = layout.version(dataset, version), layout.stat_manifest(dataset, version)
    if is_unchanged(folder, manifest, digest):
        return PullReport(folder, changed=False)
    if version_state(root, dataset, version, digest) == "whole":
        return PullReport(folder, changed=False)
    pin = _find_pin(layout, dataset, version)
    with _repository(root) as repo:
        failure = _pull(repo, pin)
        repaired: tuple[str, ...] = ()
        if failure is not None or not _has_digest(folder, digest):
            repaired = _drop_damaged(repo, pin, folder)
            failure = _pull(repo, pin)
        if failure is not None or not _has_digest(folder, digest):
            raise _unrepaired(repo, pin, folder, digest, failure)
    remember_whole(folder, manifest, digest)
    return PullReport(folder, changed=True, repaired=repaired)


def version_state(root: Path, dataset: str, version: str, digest: str) -> VersionState:
    """Whether a version's folder is here, and whole; remembers a folder found whole."""
    layout = Layout(root)
    folder, manifest = layout.version(dataset, version), layout.stat_manifest(dataset, version)
    if not folder.is_dir():
        return "absent"
    if not is_unchanged(folder, manifest, digest):
        if not _has_digest(folder, digest):
            return "changed"
        remember_whole(folder, manifest, digest)
    return "whole"


def add_version(root: Path, dataset: str, version: str) -> AddReport:
    """Pin the folder ``data/<dataset>/<version>/`` as a new version that never changes."""
    layout = Layout(root)
    pin, folder = layout.pin(dataset, version), layout.version(dataset, version)
    if pin.exists():
        hint = "give the changed data a new version name"
        what = f"{dataset}@{version} is released and cannot change"
        raise Conflict("REG-680", what, where=str(pin), hint=hint)
    if not folder.is_dir():
        hint = f"put the files of the version into {folder}"
        raise NotFound("REG-301", "there is no such folder", where=str(folder), hint=hint)
    tree = tree_digest(folder)
    with _repository(root) as repo:
        _ask(root, lambda: repo.add([str(folder)]))
    remember_whole(folder, layout.stat_manifest(dataset, version), tree.digest)
    return AddReport(pin, tree.digest, len(tree.files), tree.bytes)


def pin_file(root: Path, path: Path, run: str, remote: str = "models") -> AddReport:
    """Keep a checkpoint: copy it to ``data/checkpoints/<run>/`` and pin it for ``remote``.

    A pin beside the file itself would lie in a folder that git ignores.
    """
    folder = Layout(root).version(CHECKPOINTS, run)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder / path.name)
    report = add_version(root, CHECKPOINTS, run)
    body = yaml.safe_load(report.pin.read_text(encoding="utf-8"))
    body["outs"][0]["remote"] = remote
    write_text(report.pin, yaml.safe_dump(body, sort_keys=False))
    return report


def push_version(root: Path, dataset: str, version: str) -> int:
    """Send a version's bytes to its remote; returns how many objects were new there."""
    pin = _find_pin(Layout(root), dataset, version)
    with _repository(root) as repo:
        return int(_ask(root, lambda: repo.push([str(pin)])))


def _find_pin(layout: Layout, dataset: str, version: str) -> Path:
    pin = layout.pin(dataset, version)
    if pin.exists() or _restore_from_history(layout, pin):
        return pin
    known = [path.stem for path in pin.parent.glob("*.dvc")]
    near = near_names(version, known)
    hint = f"did you mean {dataset}@{near[0]}?" if near else "`reg list datasets` shows them all"
    raise NotFound("REG-380", f"{dataset}@{version} is not pinned here", where=str(pin), hint=hint)


def _restore_from_history(layout: Layout, pin: Path) -> bool:
    """Take a pin that today's branch lacks from the newest commit of any branch that has it."""
    place = layout.relative(pin)
    commit = _git(layout.root, "log", "--all", "--diff-filter=AM", "-1", "--format=%H", "--", place)
    content = _git(layout.root, "show", f"{commit.strip()}:./{place}") if commit.strip() else ""
    if content:
        write_text(pin, content)
    return bool(content)


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@contextmanager
def _repository(root: Path) -> Iterator[Any]:
    """DVC's repository, silent, with its own notes kept inside the workspace."""
    from dvc.repo import Repo

    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    config = {"core": {"site_cache_dir": str(root / ".dvc" / "tmp" / "site")}}
    repo = _ask(root, lambda: Repo(str(root), config=config))
    with repo:
        yield repo


def _ask(root: Path, job: Callable[[], Any]) -> Any:
    """Let DVC do one thing; whatever its code or a remote's library raises is outside wxreg."""
    try:
        with redirect_stdout(sys.stderr), storage_errors(root):
            return job()
    except StorageError:
        raise
    except Exception as error:
        hint = "`reg doctor` shows the remotes and what each needs"
        raise ExternalError("REG-780", f"DVC: {error}", where=str(root), hint=hint) from error


def _pull(repo: Any, pin: Path) -> ExternalError | None:
    """Pull one pin; what failed, if anything did, is judged once repair was tried."""
    try:
        _ask(Path(repo.root_dir), lambda: repo.pull([str(pin)], force=True))
    except ExternalError as error:
        return error
    return None


def _has_digest(folder: Path, digest: str) -> bool:
    return folder.is_dir() and tree_digest(folder).digest == digest


def _listing(repo: Any, pin: Path) -> dict[str, str]:
    """What the pin names: relative path → MD5, the listing itself under its pinned name."""
    (out,) = yaml.safe_load(pin.read_text(encoding="utf-8"))["outs"]
    md5 = out["md5"]
    listing = {f"the list of files ({pin.name})": md5}
    content = _ask(Path(repo.root_dir), lambda: _stored(repo, out.get("remote"), md5))
    return listing | {entry["relpath"]: entry["md5"] for entry in json.loads(content)}


def _stored(repo: Any, remote: str | None, md5: str) -> bytes:
    """The stored list of files, from the cache or else the remote; empty JSON if neither has it."""
    stores: tuple[Callable[[], Any], ...] = (
        lambda: repo.cache.local,
        lambda: repo.cloud.get_remote_odb(remote),
    )
    for find in stores:
        store = find()
        place = store.oid_to_path(md5)
        content: bytes = store.fs.fs.cat_file(place) if store.fs.exists(place) else b""
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == md5.split(".")[0]:
            return content
    return b"[]"


def _drop_damaged(repo: Any, pin: Path, folder: Path) -> tuple[str, ...]:
    """Delete cache objects and workspace files whose bytes are not what the pin names."""
    damaged: set[str] = set()
    for path, md5 in _listing(repo, pin).items():
        for place in (Path(repo.cache.local.oid_to_path(md5)), folder / path):
            if place.is_file() and _md5(place) != md5.split(".")[0]:
                place.unlink()
                damaged.add(path)
    return tuple(sorted(damaged))


def _unrepaired(
    repo: Any, pin: Path, folder: Path, digest: str, failure: ExternalError | None
) -> IntegrityError | ExternalError:
    lost = [
        path
        for path, md5 in _listing(repo, pin).items()
        if not md5.endswith(".dir") and not Path(repo.cache.local.oid_to_path(md5)).exists()
    ]
    if lost:
        what = f"{len(lost)} files are missing or damaged in the remote: {', '.join(lost[:5])}"
        hint = "push them again from a workspace that has them whole, then pull"
        return IntegrityError("REG-580", what, where=str(pin), hint=hint)
    if failure is not None:
        return failure
    found = short(tree_digest(folder).digest)
    what = f"the pinned bytes have the digest {found}, and the catalog says {short(digest)}"
    hint = "a released version was changed, in its pin or in its catalog entry: see git log"
    return IntegrityError("REG-580", what, where=str(folder), hint=hint)


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, _weak_md5).hexdigest()


def _weak_md5() -> Any:
    return hashlib.md5(usedforsecurity=False)
