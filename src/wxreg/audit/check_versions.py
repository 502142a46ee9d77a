"""Do the dataset versions that runs used still have their content, and their DVC pins?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from wxreg.artifacts.digests import tree_digest, tree_files
from wxreg.artifacts.dvc import version_state
from wxreg.artifacts.layout import Layout
from wxreg.audit.inventory import Inventory
from wxreg.canonical import short
from wxreg.errors import RegError
from wxreg.findings import Finding
from wxreg.specs.dataset import Version


def version_findings(inventory: Inventory) -> Iterator[Finding]:
    """Each version of the catalog against its pin and, where it is here, its bytes."""
    try:
        versions = list(inventory.versions.values())
    except RegError as error:
        yield Finding("error", error.code, str(error.where), error.message, "see `reg check`")
        return
    for version in versions:
        yield from _pin(inventory, version)
        yield from _content(inventory, version)


def _pin(inventory: Inventory, version: Version) -> Iterator[Finding]:
    """Quick: the pin's counts.  Full, with the bytes here: that it is their very address."""
    path = Layout(inventory.root).pin(version.dataset, version.name)
    if not path.is_file():
        return
    try:
        (out,) = yaml.safe_load(path.read_text(encoding="utf-8"))["outs"]
        fault = _pin_fault(inventory, version, out)
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        fault = f"the DVC pin cannot be read: {error}"
    if fault:
        remedy = "restore the pin from git: a released version never changes"
        yield Finding("error", "REG-580", Layout(inventory.root).relative(path), fault, remedy)


def _pin_fault(inventory: Inventory, version: Version, out: dict[str, Any]) -> str | None:
    if version.pin is not None and out["md5"] != version.pin:
        return f"the DVC pin is {out['md5']}, and {version.id} was released as {version.pin}"
    if (out["size"], out["nfiles"]) != (version.bytes, version.files):
        return f"the DVC pin counts {out['size']} bytes in {out['nfiles']} files, the catalog not"
    folder = Layout(inventory.root).version(version.dataset, version.name)
    if inventory.full and folder.is_dir() and out["md5"] != dvc_address(folder):
        return f"the DVC pin {out['md5']} is not the address of the files that are here"
    return None


def dvc_address(folder: Path) -> str:
    """The MD5 under which DVC keeps a folder: of the sorted list of its files and their MD5."""
    files = [{"md5": _md5(folder / name), "relpath": name} for name in tree_files(folder)]
    listing = json.dumps(sorted(files, key=lambda file: file["relpath"]), sort_keys=True)
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _content(inventory: Inventory, version: Version) -> Iterator[Finding]:
    folder = Layout(inventory.root).version(version.dataset, version.name)
    if not folder.is_dir():
        return
    if inventory.full:
        whole = tree_digest(folder).digest == version.content
    else:
        state = version_state(inventory.root, version.dataset, version.name, version.content)
        whole = state == "whole"
    if not whole:
        what = f"its files do not have the content {short(version.content)} of {version.id}"
        remedy = f"`reg pull {version.id}` brings the exact bytes back"
        place = Layout(inventory.root).relative(folder)
        yield Finding("error", "REG-580", place, what, remedy)
