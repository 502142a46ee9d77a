"""Parts of a file's plain values: overlays, what an entry says itself, what lies under a key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wxreg.errors import Incompatible, UsageError
from wxreg.specs.base import Entry


def overlays(file: Path, values: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The named overlays of one file."""
    found = values.get("scales", {})
    if not isinstance(found, Mapping) or not all(isinstance(v, Mapping) for v in found.values()):
        hint = "write `mini: {…}` under scales:"
        raise UsageError("REG-202", "scales are not mappings", where=str(file), hint=hint)
    return found


def own_values(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a file says itself: neither the entry that it continues nor its overlays."""
    return {key: value for key, value in values.items() if key not in ("scales", "base")}


def part_of(values: Any, path: tuple[str, ...], file: Path) -> Any:
    """The part of a file under a path of keys; each of them is needed."""
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            raise UsageError(
                "REG-202",
                f"the key {'.'.join(path)} is needed",
                where=str(file),
                hint=f"add {part}:",
            )
        values = values[part]
    return values


def refuse_newer(file: Path, values: Mapping[str, Any], spec: type[Entry]) -> None:
    """Refuse a file of a format that this wxreg does not know yet."""
    written_for = values.get("spec", 1)
    if isinstance(written_for, int) and written_for > spec.FORMAT:
        raise Incompatible(
            "REG-402",
            f"the file was written for format {written_for} of {spec.KIND}; "
            f"this wxreg knows up to {spec.FORMAT}",
            where=str(file),
            hint="install a newer wxreg",
        )
