"""What pydantic says of a file, as findings: file and line, what is wrong, how to mend it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from wxreg.errors import RegError, UsageError
from wxreg.findings import Finding
from wxreg.ids import near_names
from wxreg.library.reading import line_of


def findings_of(
    error: ValidationError, spec: type[BaseModel], path: Path, raw: bytes, prefix: tuple[str, ...]
) -> tuple[Finding, ...]:
    """Every fault of one file, each with its line; without bytes there is no line to tell."""
    return tuple(
        Finding(
            "error",
            "REG-202",
            f"{path}:{line_of(raw, (*prefix, *detail['loc']))}" if raw else str(path),
            f"{_place(detail)}: {_what(detail)}",
            _remedy(detail, spec),
        )
        for detail in error.errors(include_url=False, include_context=False)
    )


class FileFaults(UsageError):
    """A file with one or more faults; the message tells the first and how many more there are."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first = findings[0]
        more = f" (and {len(findings) - 1} more: `reg check`)" if len(findings) > 1 else ""
        super().__init__(first.code, first.what + more, where=first.where, hint=first.remedy)
        self.findings = findings

    def __reduce__(self) -> tuple[object, ...]:
        return (FileFaults, (self.findings,))


def as_findings(error: RegError, where: str) -> tuple[Finding, ...]:
    """An error as findings: one for each fault of a file, else the error itself."""
    if isinstance(error, FileFaults):
        return error.findings
    remedy = error.hint or "mend the file"
    return (Finding("error", error.code, error.where or where, error.message, remedy),)


def _place(detail: ErrorDetails) -> str:
    return ".".join(map(str, detail["loc"])) or "the file"


def _what(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return "there is no such key"
    if kind == "missing":
        return "this key is needed"
    return detail["msg"].removeprefix("Value error, ")


def _remedy(detail: ErrorDetails, spec: type[BaseModel]) -> str:
    kind, loc = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        known = sorted(_fields_at(spec, loc[:-1]))
        near = near_names(str(loc[-1]), known)
        return f"did you mean {' or '.join(near)}?" if near else f"known keys: {', '.join(known)}"
    if kind == "missing":
        return f"add {loc[-1]}:"
    return f"mend the value (it is {_shown(detail.get('input'))})"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields_at(spec: type[BaseModel], loc: tuple[int | str, ...]) -> set[str]:
    """The keys that the schema knows at a place."""
    models: set[type[BaseModel]] = {spec}
    for part in loc:
        models = {
            inner
            for model in models
            if isinstance(part, str) and part in model.model_fields
            for inner in _models_in(cast("Hashable", model.model_fields[part].annotation))
        } or models
    return {name for model in models for name in model.model_fields}


@cache
def _models_in(annotation: Any) -> frozenset[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return frozenset({annotation})
    return frozenset(m for inner in get_args(annotation) for m in _models_in(inner))


def differing_id(
    path: Path, wanted: str, values: Mapping[str, Any], key: str = "id"
) -> UsageError | None:
    """The error for a file whose id is not its name; a card's id is its ``model``."""
    have = values.get(key) if isinstance(values, Mapping) else None
    if have == wanted:
        return None
    return UsageError(
        "REG-202",
        f"the {key} is {have!r} but the file is called {wanted!r}",
        where=str(path),
        hint=f"write `{key}: {wanted}` or rename the file",
    )
