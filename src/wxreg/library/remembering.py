"""Answers that depend on files alone, kept while every one of those files is unchanged.

An answer is kept under the words that asked for it, with the SHA-256 of each file that was read
and the state of the code that read them.  Only answers are kept, never refusals, since a refusal
may depend on a file that was not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]
_READERS = ("", "specs", "library", "resolve")


def recall(cache: Path, words: Iterable[object]) -> dict[str, Any] | None:
    """The answer to the same words, if nothing that it was read from has changed."""
    kept = _place(cache, words)
    try:
        found = json.loads(kept.read_bytes())
        fresh = found["code"] == _code() and all(
            _digest(Path(path)) == digest for path, digest in found["files"].items()
        )
    except (OSError, ValueError, KeyError):  # nothing kept, torn, or a file is gone
        return None
    answer: dict[str, Any] = found["answer"]
    return answer if fresh else None


def remember(
    cache: Path, words: Iterable[object], files: Iterable[Path], answer: dict[str, Any]
) -> None:
    """Keep an answer; a workspace that cannot be written to is asked anew each time."""
    kept = _place(cache, words)
    body = {"code": _code(), "files": {str(f): _digest(f) for f in files}, "answer": answer}
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps(body), encoding="utf-8")
        aside.replace(kept)
    except OSError:
        return


def _place(cache: Path, words: Iterable[object]) -> Path:
    key = sha256(json.dumps([str(word) for word in words]).encode()).hexdigest()
    return cache / "answers" / f"{key}.json"


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _code() -> list[list[Any]]:
    """The state of every source file that resolving runs through."""
    found = []
    for folder in _READERS:
        with os.scandir(_PACKAGE / folder) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    stat = entry.stat()
                    found.append([f"{folder}/{entry.name}", stat.st_size, stat.st_mtime_ns])
    return sorted(found)
