"""Where a new version's values come from: a source of the catalog, or an existing version."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from wxreg.artifacts.layout import Layout
from wxreg.data.prepare import PreparePlan
from wxreg.data.reading import ReadRequest
from wxreg.data.target import Target
from wxreg.errors import Incompatible, UsageError
from wxreg.ids import NATIVE, DataRef, not_found
from wxreg.library.loading import Library
from wxreg.runs.datasets.preparing import damage_record, masks_for, prepare_plan
from wxreg.specs.base import thaw
from wxreg.specs.dataset import Source
from wxreg.specs.timeaxis import Period, Splits

_PARAMETER: Final = re.compile(r"\{\{ *(\w+) *\}\}")
_OURS: Final = frozenset({"dataset", "urlpath", "release", "product", "storage_options"})


@dataclass(frozen=True)
class Cut:
    """Which part of a source a new version has."""

    times: tuple[str, str] | None = None
    region: tuple[float, float, float, float] | None = None
    """South, west, north, east in degrees."""
    variables: tuple[str, ...] = ()
    levels: tuple[float, ...] = ()

    @property
    def target(self) -> Target:
        """Where its cells lie."""
        return Target(region=self.region)


@dataclass(frozen=True)
class Origin:
    """How the values are read, and what the new entry takes over."""

    plan: PreparePlan
    base: Mapping[str, Any]
    splits: Splits | None


def from_version(library: Library, ref: DataRef, cut: Cut) -> Origin:
    """A part of an existing version, in its native view."""
    version = library.version(ref)
    plan = prepare_plan(library, Layout(library.root), ref, NATIVE)
    request = replace(plan.request, times=cut.times or plan.request.times)
    if cut.levels:
        request = replace(request, levels=cut.levels)
    base: dict[str, Any] = {"title": f"A part of {ref}: {version.title}", "faults": version.faults}
    if version.licence is not None:
        base["licence"] = version.licence
    span = Period(start=cut.times[0], end=cut.times[1]) if cut.times else None
    if version.provisional is not None and (span is None or span.overlaps(version.provisional)):
        base["provisional"] = version.provisional
    plan = replace(
        plan, request=request, target=cut.target, variables=cut.variables or plan.variables
    )
    return Origin(plan, base, version.splits)


def from_source(
    library: Library, dataset: str, name: str, cut: Cut, options: Mapping[str, str]
) -> Origin:
    """A part of a source of the catalog, with its parameters."""
    described = library.description(dataset)
    known = library.sources(dataset)
    if name not in known:
        raise not_found("source", name, known)
    if not cut.variables or cut.times is None:
        raise UsageError(
            "REG-230",
            "a version made from a source needs --start, --end and its variables",
            hint="--variable t2m --variable refc …",
        )
    request = source_request(library, dataset, name, cut, options)
    plan = PreparePlan(
        request,
        Path(),
        cut.variables,
        gaps=described.gaps,
        target=cut.target,
        masks=masks_for(library, dataset, request),
    )
    return Origin(plan, {"title": f"{described.title}, from {name}"}, described.splits)


def source_request(
    library: Library, dataset: str, name: str, cut: Cut, options: Mapping[str, str]
) -> ReadRequest:
    """How a source of the catalog is read; all that it holds where no variable is named."""
    described, source = library.description(dataset), library.sources(dataset)[name]
    arguments = _arguments(library, source, options)
    notes = source.metadata
    product = arguments.get("product")
    cadence = {"cadence": notes.cadence} if notes.cadence else {}
    request = ReadRequest(
        layout=notes.layout,
        location=_place(library, str(arguments["urlpath"])),
        entries=tuple(
            entry
            for entry in library.entries(dataset)
            if entry.id in (cut.variables or (entry.id,)) and entry.held_by(product)
        ),
        lexicon=library.lexicon(),
        time=described.time.model_copy(update=cadence),
        grid=notes.grid or described.grid,
        times=cut.times,
        levels=cut.levels,
        product=product,
        storage_options=thaw(arguments.get("storage_options", {})),
        damage_record=damage_record(Layout(library.root), dataset),
        options={key: value for key, value in arguments.items() if key not in _OURS and value},
    )
    _all_held(dataset, name, cut.variables, [entry.id for entry in request.entries])
    return request


def _all_held(dataset: str, source: str, wanted: Sequence[str], held: Sequence[str]) -> None:
    absent = [name for name in wanted if name not in held]
    if absent:
        raise Incompatible("REG-433", f"{source} of {dataset} does not hold {', '.join(absent)}")


def _arguments(library: Library, source: Source, options: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of a source with its parameters put in."""
    put = filling(library, source, options)
    return {
        name: put(value) if isinstance(value, str) else value for name, value in source.args.items()
    }


def filling(library: Library, source: Source, options: Mapping[str, str]) -> Callable[[str], str]:
    """Puts the parameters of a source into its texts: as given, or their defaults."""
    described: dict[str, Any] = dict(source.parameters)
    defaults = {name: about.get("default", "") for name, about in described.items()}
    for name in options:
        if name not in defaults:
            raise not_found("parameter", name, defaults)
    given = {**defaults, **options, "CATALOG_DIR": str(library.root / "catalog")}
    return lambda text: _PARAMETER.sub(lambda match: str(given.get(match[1], "")), text)


def _place(library: Library, text: str) -> str:
    """A URL as it is; a path relative to the workspace."""
    return text if "://" in text else str((library.root / text).resolve())
