"""Whether what a chain names is here, and still has its digest."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from wxreg.artifacts.digests import file_digest, tree_digest
from wxreg.artifacts.dvc import version_state
from wxreg.artifacts.layout import Layout
from wxreg.audit.answer import Difference
from wxreg.audit.plans import plan_fault
from wxreg.canonical import short
from wxreg.errors import RegError
from wxreg.ids import DataRef
from wxreg.ledger import queries
from wxreg.ledger.records import ArtifactRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library

State = Literal["whole", "changed", "absent"]


@dataclass(frozen=True)
class Checked:
    """One ancestor: whether it is whole, and how that was found out."""

    name: str
    state: State
    how: Literal["bytes", "size and time", "not reached"]
    path: str | None = None
    what: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The check under stable keys."""
        return asdict(self)

    @property
    def difference(self) -> Difference | None:
        """What to report when it was changed."""
        if self.state != "changed":
            return None
        return Difference("ancestor", f"{self.name}: {self.what}", self.path)


def check_ancestors(
    root: Path, ledger: Ledger | None, chain: Mapping[str, Any], *, deep: bool
) -> tuple[Checked, ...]:
    """Check the checkpoints, plans, statistics and dataset versions that a chain names.

    Without ``deep``, bytes whose size and time are as they were when last verified are taken
    to be whole.
    """
    return (
        *_checkpoint(root, ledger, (chain.get("checkpoint") or {}).get("sha256"), deep=deep),
        *(
            check
            for teacher in (chain.get("training_run") or {}).get("teachers") or ()
            for check in _checkpoint(root, ledger, teacher, deep=deep)
        ),
        *_plans(ledger, chain),
        *(_statistics(root, entry) for entry in chain.get("statistics") or ()),
        *(_data(root, entry, deep=deep) for entry in chain.get("data") or ()),
    )


def _checkpoint(
    root: Path, ledger: Ledger | None, sha256: str | None, *, deep: bool
) -> Iterator[Checked]:
    if not sha256:
        return
    name = f"checkpoint {short(str(sha256))}"
    places = queries.artifacts_of(ledger, sha256) if ledger is not None else ()
    found = [check_file(root, place, name, deep=deep) for place in places]
    here = [check for check in found if check.state != "absent"]
    yield from here or [Checked(name, "absent", "not reached")]


def check_file(root: Path, record: ArtifactRecord, name: str, *, deep: bool) -> Checked:
    """Check one registered file by its cached size and time, or by its bytes."""
    path = root / record.path
    if not path.is_file():
        return Checked(name, "absent", "not reached", record.path)
    stat = path.stat()
    if not deep and (stat.st_size, stat.st_mtime_ns) == (record.bytes, record.mtime_ns):
        return Checked(name, "whole", "size and time", record.path)
    sha256 = file_digest(path)
    if sha256 == record.sha256:
        return Checked(name, "whole", "bytes", record.path)
    what = f"its bytes have the digest {short(sha256)}, {short(record.sha256)} was sealed"
    return Checked(name, "changed", "bytes", record.path, what)


def _plans(ledger: Ledger | None, chain: Mapping[str, Any]) -> Iterator[Checked]:
    if ledger is None:
        return
    for side in ("training", "sampling"):
        run = (chain.get(f"{side}_run") or {}).get("id")
        if not run or not queries.runs(ledger, id=run):
            continue
        fault = plan_fault(ledger, queries.run(ledger, run))
        state: State = "changed" if fault else "whole"
        yield Checked(f"plan of {run}", state, "bytes", None, fault)


def _statistics(root: Path, entry: Mapping[str, Any]) -> Checked:
    name = f"statistics {short(str(entry.get('digest')))}"
    ref, _, word = str(entry.get("name") or "").partition("/")
    if not word:
        return Checked(name, "absent", "not reached", None, "the chain does not say which file")
    try:
        library = Library(root)
        path = library.statistics_path(DataRef.parse(ref), word)
        found = library.statistics(DataRef.parse(ref), word)
    except RegError as error:
        return Checked(name, "changed", "bytes", entry["name"], f"it cannot be read: {error}")
    place = path.relative_to(root).as_posix()
    if found is None:
        return Checked(name, "absent", "not reached", place)
    if found.digest() == entry["digest"]:
        return Checked(name, "whole", "bytes", place)
    what = f"the file has the digest {short(found.digest())} now"
    if is_committed(root, path):
        return Checked(name, "absent", "not reached", place, f"replaced by a commit: {what}")
    return Checked(name, "changed", "bytes", place, what)


def is_committed(root: Path, path: Path) -> bool:
    """Whether git has exactly these bytes: what a person committed was changed on purpose."""
    git = ["git", "-C", str(root)]
    words = (["ls-files", "--error-unmatch"], ["diff", "--quiet", "HEAD"])
    return all(
        subprocess.run([*git, *word, "--", str(path)], capture_output=True, check=False).returncode
        == 0
        for word in words
    )


def _data(root: Path, entry: Mapping[str, Any], *, deep: bool) -> Checked:
    dataset, content = str(entry.get("dataset")), str(entry.get("content"))
    name = f"data {dataset} {short(content)}"
    try:
        ref = DataRef.parse(dataset)
        folder = Layout(root).version(ref.dataset, str(ref.version))
    except RegError as error:
        return Checked(name, "absent", "not reached", None, str(error))
    place = folder.relative_to(root).as_posix()
    if not folder.is_dir():
        return Checked(name, "absent", "not reached", place)
    if deep:
        same = tree_digest(folder).digest == content
    else:
        same = version_state(root, ref.dataset, str(ref.version), content) == "whole"
    if same:
        return Checked(name, "whole", "bytes" if deep else "size and time", place)
    return Checked(name, "changed", "bytes", place, "its files are not those of the version")
