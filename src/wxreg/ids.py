"""Names: small string types with their own patterns, references, and near-name hints."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import StringConstraints

from wxreg.errors import NotFound, UsageError

_NAME: Final = r"[a-z0-9][a-z0-9._-]{0,79}"
NAME_PATTERN: Final = re.compile(_NAME)

EntryId = Annotated[str, StringConstraints(pattern=rf"^{_NAME}$")]
"""The id of a model, dataset, protocol, experiment or case selection: also its file name."""

VariableId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A canonical variable name of the lexicon, such as ``t2m`` or ``mxuphl_2_5km``."""

VersionName = Annotated[str, StringConstraints(pattern=rf"^{_NAME}$")]
"""The name of an immutable dataset version, such as ``mini-1``."""

DatasetRef = Annotated[str, StringConstraints(pattern=rf"^{_NAME}@{_NAME}$")]
"""A dataset version: ``hrrr@mini-1``."""

NATIVE: Final = "native"
"""The view that every dataset has: all variables as they are."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A full SHA-256 in lower-case hexadecimal."""


@dataclass(frozen=True, order=True)
class DataRef:
    """A dataset, and the version of it that is meant if one was named."""

    dataset: str
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> DataRef:
        """Read ``hrrr`` or ``hrrr@mini-1``."""
        dataset, at, version = text.partition("@")
        for part in (dataset, version) if at else (dataset,):
            if not NAME_PATTERN.fullmatch(part):
                raise UsageError(
                    "REG-200", f"{text!r} is not a dataset", hint="write hrrr or hrrr@mini-1"
                )
        return cls(dataset, version or None)

    def __str__(self) -> str:
        return f"{self.dataset}@{self.version}" if self.version else self.dataset


def check_name(text: str, kind: str) -> str:
    """Return ``text`` if it can be an id (and so a file name), else raise."""
    if not NAME_PATTERN.fullmatch(text):
        raise UsageError(
            "REG-200",
            f"{text!r} is not the name of a {kind}",
            hint="names have lower-case letters, digits, '.', '_' and '-', at most 80",
        )
    return text


def near_names(wanted: str, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The known names that are closest to the wanted one, best first."""
    return tuple(difflib.get_close_matches(wanted, list(known), n=count, cutoff=0.5))


LISTED: Final = frozenset(
    {"dataset", "model", "protocol", "case", "experiment", "card", "version", "variable"}
)
"""Kinds of names that `reg list` shows; of any other kind an error names them all itself."""


def not_found(kind: str, wanted: str, known: Iterable[str], code: str = "REG-300") -> NotFound:
    """The error for a name that nothing has, with the near names or the way to list them."""
    names = sorted(known)
    near = near_names(wanted, names)
    shown = f"`reg list {kind}s` shows them all" if kind in LISTED else f"known: {', '.join(names)}"
    hint = f"did you mean {' or '.join(near)}?" if near else shown
    return NotFound(code, f"no {kind} is called {wanted!r}", hint=hint)


def inside(root: Path, path: str | Path, what: str = "path") -> Path:
    """``root / path`` if it stays inside ``root`` (links followed), else a refusal."""
    resolved = (root / path).resolve()
    if not resolved.is_relative_to(root.resolve()):
        raise UsageError("REG-203", f"{what} {str(path)!r} leaves {root}", where=str(path))
    return resolved
