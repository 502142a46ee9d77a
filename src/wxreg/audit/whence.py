"""``reg whence``: which checkpoint, data, statistics and code made this file, and is it proved?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from wxreg.artifacts.layout import RECORD_SUFFIX
from wxreg.audit.answer import Answer, Difference
from wxreg.audit.whence_checkpoint import whence_checkpoint
from wxreg.audit.whence_file import whence_file, whence_statistics
from wxreg.audit.whence_forecast import whence_forecast
from wxreg.audit.workplace import Workplace
from wxreg.errors import IntegrityError, NotFound, UsageError

Kind = Literal["forecast", "checkpoint", "statistics", "file", "grib", "folder"]

_NETCDF: Final = (b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05")
_ZARR: Final = ("zarr.json", ".zgroup", ".zmetadata")
_WALKED: Final = (".nc", ".nc4", ".safetensors", ".grib", ".grib2")


def whence(path: Path, here: Workplace, *, deep: bool = False) -> Answer:
    """Say what made one file.

    Ancestors are checked by cached size and time, and by every byte with ``deep``.
    """
    kind = kind_of(path)
    if kind == "forecast":
        return whence_forecast(path, here, deep=deep)
    if kind == "checkpoint":
        return whence_checkpoint(path, here, deep=deep)
    if kind == "statistics":
        return whence_statistics(path, here, deep=deep)
    if kind == "grib":
        note = "GRIB packs values with loss: which forecast they came from cannot be proved"
        return Answer("unknown", {"path": str(path), "kind": "grib", "notes": [note]})
    return whence_file(path, here, deep=deep)


def kind_of(path: Path) -> Kind:
    """What a path is, by its content first and its name second."""
    if path.is_dir():
        is_store = path.suffix == ".zarr" or any((path / name).exists() for name in _ZARR)
        return "forecast" if is_store else "folder"
    if not path.is_file():
        raise NotFound("REG-301", "nothing is there", where=str(path))
    with path.open("rb") as stream:
        head = stream.read(4)
    if head in _NETCDF or path.suffix in (".nc", ".nc4"):
        return "forecast"
    if head == b"GRIB":
        return "grib"
    if path.suffix == ".safetensors":
        return "checkpoint"
    return "statistics" if path.suffix in (".yaml", ".yml") else "file"


def holds_many(path: Path) -> bool:
    """Whether a path is a plain folder of things to ask about."""
    return path.is_dir() and kind_of(path) == "folder" and not _sealed(path)


def whence_all(folder: Path, here: Workplace, *, deep: bool = False) -> Iterator[Answer]:
    """Say what made each forecast, checkpoint and sealed file below a folder, in order."""
    for path in _subjects(folder):
        try:
            yield whence(path, here, deep=deep)
        except (IntegrityError, UsageError) as error:
            broken = isinstance(error, IntegrityError)
            subject = {"path": str(path), "kind": kind_of(path), "notes": [error.message]}
            differences = (Difference("bytes", error.message, str(path)),) if broken else ()
            yield Answer("tampered" if broken else "unknown", subject, {}, differences)


def _subjects(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir() and holds_many(path):
            yield from _subjects(path)
        elif path.is_dir() or path.suffix in _WALKED or _sealed(path):
            yield path


def _sealed(path: Path) -> bool:
    return path.with_name(path.name + RECORD_SUFFIX).is_file()
