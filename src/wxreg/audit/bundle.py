"""``reg bundle``: an artifact with its whole chain in one file that another lab can verify.

A bundle is a zip whose members are stored, never compressed: what it holds is compressed
already, and nothing can swell when it is opened.  ``manifest.json`` comes first and lists every
file with its SHA-256.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.sealing import writing_file
from wxreg.audit.members import Gathered, Member, gather_chain
from wxreg.canonical import canonical_json
from wxreg.errors import Conflict
from wxreg.ledger.store import Ledger

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundled:
    """What was packed, and what of the chain could not be."""

    path: Path
    files: int
    runs: tuple[str, ...]
    missing: tuple[str, ...]


def bundle(root: Path, ledger: Ledger, node: str, out: Path) -> Bundled:
    """Pack a run's outputs, a forecast or a checkpoint with everything it was made from."""
    if out.exists():
        raise Conflict("REG-600", "a file is there already", where=str(out), hint="name another")
    chain = gather_chain(root, ledger, node)
    _write(out, chain)
    return Bundled(out, len(chain.members), chain.runs, chain.missing)


def _write(out: Path, chain: Gathered) -> None:
    body = {
        "format": FORMAT,
        "kind": "wxreg-bundle",
        "subjects": sorted({subject.sha256 for subject in chain.subjects}),
        "runs": list(chain.runs),
        "missing": list(chain.missing),
        "files": [_listed(member) for member in chain.members],
    }
    with writing_file(out) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(MANIFEST, _EPOCH), canonical_json(body))
        for member in chain.members:
            info = zipfile.ZipInfo(member.name, _EPOCH)
            if isinstance(member.source, bytes):
                archive.writestr(info, member.source)
                continue
            info.file_size = member.source.stat().st_size
            with member.source.open("rb") as stream, archive.open(info, "w") as target:
                while piece := stream.read(1 << 20):
                    target.write(piece)


def _listed(member: Member) -> dict[str, Any]:
    if isinstance(member.source, bytes):
        sha256, size = hashlib.sha256(member.source).hexdigest(), len(member.source)
    else:
        sha256, size = file_digest(member.source), member.source.stat().st_size
    return {"path": member.name, "bytes": size, "sha256": sha256}
