"""Which file and line each value of an expanded model came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxreg.library.loading import Layer, Library
from wxreg.library.reading import line_of, merge, read_bytes
from wxreg.resolve.match import Match
from wxreg.resolve.request import Request, leaf_paths

_UNASKED = frozenset({"spec", "id", "title", "summary", "scale"})


@dataclass(frozen=True)
class Origin:
    """One value and the place where it was written."""

    path: str
    value: Any
    where: str


def explain(library: Library, match: Match) -> tuple[Origin, ...]:
    """Every declared value with its file and line, then the files that pin the data."""
    request = match.request
    layers = list(library.model_layers(request.model, request.scale))
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer.values)
    set_paths = dict(request.overrides)
    rows = [
        _origin(library, layers, merged, path, set_paths)
        for path in leaf_paths(merged)
        if path.partition(".")[0] not in _UNASKED
    ]
    return (*rows, *_data_origins(library, match, request))


def _origin(
    library: Library, layers: list[Layer], merged: dict[str, Any], path: str, given: dict[str, str]
) -> Origin:
    if path in given:
        return Origin(path, given[path], "--set")
    parts = tuple(path.split("."))
    for layer in reversed(layers):
        if _at(layer.values, parts) is not None:
            line = line_of(read_bytes(layer.path), (*layer.inside, *parts))
            return Origin(path, _at(merged, parts), f"{_short(library, layer.path)}:{line}")
    return Origin(path, _at(merged, parts), "default")


def _data_origins(library: Library, match: Match, request: Request) -> list[Origin]:
    rows = []
    for hold in match.holds:
        if hold.version is not None:
            folder = library.root / "catalog" / hold.ref.dataset / "versions"
            file = folder / f"{hold.version.name}.yaml"
            said = "request" if request.data and request.data.version else "versions of the model"
            where = f"{_short(library, file)} (named by the {said})"
            rows.append(Origin(f"{hold.role}.content", hold.version.content, where))
        if hold.statistics is not None:
            file = library.statistics_path(hold.ref, hold.statistics_name)
            digest = hold.statistics.digest()
            rows.append(Origin(f"{hold.role}.statistics", digest, _short(library, file)))
    return rows


def _at(values: Any, parts: tuple[str, ...]) -> Any:
    for part in parts:
        if not isinstance(values, dict) or part not in values:
            return None
        values = values[part]
    return values


def _short(library: Library, path: Path) -> str:
    return str(path.relative_to(library.root)) if path.is_relative_to(library.root) else str(path)
