"""Opening a bundle from outside: hostile until every name, size and digest is as listed."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from wxreg.artifacts.sealing import storage_errors
from wxreg.audit.bundle import FORMAT, MANIFEST
from wxreg.errors import Incompatible, IntegrityError, NotFound

_MANIFEST_LIMIT: Final = 64 << 20
_PART: Final = r"[A-Za-z0-9@][A-Za-z0-9@._-]*"
_PLACES: Final = re.compile(
    rf"(runs|forecasts|scores)/{_PART}(/{_PART})*"
    rf"|catalog/stats/{_PART}/{_PART}/{_PART}\.yaml"
)
"""Nothing hidden, nothing absolute, nothing upwards, and only where a bundle has business."""


@dataclass(frozen=True)
class Manifest:
    """What a bundle says it holds."""

    subjects: tuple[str, ...]
    runs: tuple[str, ...]
    files: Mapping[str, tuple[int, str]]
    """Path → bytes and SHA-256."""


def unpack(path: Path, target: Path) -> Manifest:
    """Unpack a bundle into an empty folder; refused before anything is written, where possible."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(path, archive)
            _check_members(path, archive, manifest)
            for name, (_, sha256) in manifest.files.items():
                _extract(path, archive, name, sha256, target / name)
            return manifest
    except FileNotFoundError as error:
        raise NotFound("REG-301", "no bundle is here", where=str(path)) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        _refuse(path, f"it is no whole zip: {error}")


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    if MANIFEST not in archive.namelist():
        _refuse(path, "it has no manifest.json")
    info = archive.getinfo(MANIFEST)
    if info.file_size > _MANIFEST_LIMIT or info.compress_type != zipfile.ZIP_STORED:
        _refuse(path, "its manifest is too large or compressed")
    try:
        body = json.loads(archive.read(info))
        if body["kind"] != "wxreg-bundle" or not isinstance(body["format"], int):
            raise ValueError("it is no bundle of wxreg")
        if body["format"] > FORMAT:
            what = f"the bundle has format {body['format']}, this wxreg knows up to {FORMAT}"
            raise Incompatible("REG-402", what, where=str(path), hint="install a newer wxreg")
        return Manifest(_texts(body["subjects"]), _texts(body["runs"]), _files(body["files"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        _refuse(path, f"its manifest does not parse: {error}")


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("a list of texts was expected")
    return tuple(value)


def _files(value: list[Any]) -> dict[str, tuple[int, str]]:
    found = {one["path"]: (int(one["bytes"]), str(one["sha256"])) for one in value}
    if len(found) != len(value):
        raise ValueError("a file is listed twice")
    return found


def _check_members(path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Every member is listed, plain, stored as it is, of the listed size, and in its place."""
    names = [info.filename for info in archive.infolist() if info.filename != MANIFEST]
    if sorted(names) != sorted(manifest.files):
        _refuse(path, "its members are not those that the manifest lists")
    for info in archive.infolist():
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            _refuse(path, f"{info.filename!r} is compressed, and bundles never are")
        if stat.S_ISLNK(info.external_attr >> 16) or info.is_dir():
            _refuse(path, f"{info.filename!r} is no plain file")
        if info.filename == MANIFEST:
            continue
        if not _PLACES.fullmatch(info.filename):
            _refuse(path, f"{info.filename!r} leads to where no bundle may write")
        if info.file_size != manifest.files[info.filename][0]:
            _refuse(path, f"{info.filename!r} has not the listed size")
    if sum(info.file_size for info in archive.infolist()) > path.stat().st_size:
        _refuse(path, "its members claim more bytes than the file has")


def _extract(path: Path, archive: zipfile.ZipFile, name: str, sha256: str, target: Path) -> None:
    total = hashlib.sha256()
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(name) as stream, target.open("xb") as out:
            while piece := stream.read(1 << 20):
                total.update(piece)
                out.write(piece)
    if total.hexdigest() != sha256:
        _refuse(path, f"{name!r} does not have the listed SHA-256")


def _refuse(path: Path, why: str) -> NoReturn:
    hint = "nothing was taken in; ask for it again from where it came"
    raise IntegrityError(
        "REG-572", f"this bundle is not accepted: {why}", where=str(path), hint=hint
    )
