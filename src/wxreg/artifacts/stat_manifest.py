"""Which folder was found whole when: makes looking at it again cheap.

A folder whose files all have the paths, sizes and times that they had when its digest was
verified is taken to be unchanged.  The change time (ctime) is among them, which no ordinary
program can set back.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from wxreg.artifacts.sealing import write_text


def remember_whole(folder: Path, manifest: Path, digest: str) -> None:
    """Note that ``folder`` has this digest now; call it only after verifying."""
    body = {"format": 1, "digest": digest, "stat": _stat_digest(folder)}
    write_text(manifest, json.dumps(body) + "\n")


def is_unchanged(folder: Path, manifest: Path, digest: str) -> bool:
    """Whether ``folder`` had this digest when last verified and was not touched since."""
    try:
        body = json.loads(manifest.read_text(encoding="utf-8"))
        known = (body["digest"], body["stat"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False
    return folder.is_dir() and known == (digest, _stat_digest(folder))


def _stat_digest(folder: Path) -> str:
    total = hashlib.sha256()
    for line in sorted(_lines(str(folder), "")):
        total.update(line)
    return total.hexdigest()


def _lines(folder: str, prefix: str) -> Iterator[bytes]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _lines(entry.path, path + "/")
                continue
            stat = entry.stat()
            line = f"{path}\0{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}\n"
            yield line.encode("utf-8", "surrogateescape")
