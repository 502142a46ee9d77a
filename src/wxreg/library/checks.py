"""``reg check``: every file of the catalog and the registry, all findings in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from wxreg.errors import RegError
from wxreg.findings import Finding
from wxreg.ids import DataRef
from wxreg.library.faults import as_findings
from wxreg.library.loading import Library
from wxreg.specs.architecture import ARCHITECTURES, LOSSES, OWN_TERMS
from wxreg.specs.dataset import Description, Version
from wxreg.specs.experiment import Experiment
from wxreg.specs.protocol import Cases, Protocol
from wxreg.specs.units import conversion


def check(library: Library) -> tuple[Finding, ...]:
    """All findings of a workspace, errors first."""
    findings: list[Finding] = []
    findings += _guarded("catalog/lexicon.yaml", partial(_lexicon, library))
    for dataset in library.ids("dataset"):
        file = f"catalog/{dataset}.yaml"
        findings += _guarded(file, partial(_dataset, library, dataset))
        for version in _listed(findings, file, partial(library.versions, dataset)):
            file = f"catalog/{dataset}/versions/{version}.yaml"
            findings += _guarded(file, partial(_version, library, DataRef(dataset, version)))
    for name in library.ids("model"):
        file = f"registry/models/{name}.yaml"
        scales = _listed(findings, file, partial(library.scales, name))
        if not scales:
            findings += _guarded(file, partial(_model, library, name, None))
        for scale in scales:
            findings += _guarded(file, partial(_model, library, name, scale))
    findings += _entries(library)
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda found: (found.severity != "error", found.where)))


def _guarded(where: str, step: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(step())
    except RegError as error:
        return list(as_findings(error, where))


def _listed(
    findings: list[Finding], where: str, step: Callable[[], tuple[str, ...]]
) -> tuple[str, ...]:
    try:
        return step()
    except RegError as error:
        findings += as_findings(error, where)
        return ()


def _error(where: object, what: str, remedy: str, code: str = "REG-202") -> Finding:
    return Finding("error", code, str(where), what, remedy)


def _lexicon(library: Library) -> Iterator[Finding]:
    lexicon, where = library.lexicon(), "catalog/lexicon.yaml"
    for variable in lexicon.values():
        needed = (variable.partner, *(variable.derived.inputs if variable.derived else ()))
        for name in needed:
            if name is not None and name not in lexicon:
                yield _error(where, f"{variable.id} refers to {name}", f"describe {name}")
        yield from _unit(where, variable.id, variable.units, variable.units)


def _unit(where: object, name: str, have: str, want: str) -> Iterator[Finding]:
    try:
        conversion(have, want)
    except RegError as error:
        yield _error(where, f"{name}: {error.message}", "mend the units", error.code)


def _dataset(library: Library, dataset: str) -> Iterator[Finding]:
    where = library.path("dataset", dataset)
    description = library.description(dataset)
    library.sources(dataset)
    lexicon = library.lexicon()
    for entry in library.variables(dataset).values():
        if entry.id not in lexicon:
            yield _error(where, f"{entry.id} is not in the lexicon", "describe it there")
        else:
            yield from _unit(where, entry.id, entry.units, lexicon[entry.id].units)
    if description.splits is not None:
        yield from _splits(where, description, description.time.calendar)


def _splits(where: object, holder: Description | Version, calendar: str) -> Iterator[Finding]:
    for one, a, two, b in holder.splits.too_near(calendar) if holder.splits else ():
        what = f"{one} ({a}) and {two} ({b}) overlap or keep less than the buffer"
        yield _error(where, what, "move the periods apart")


def _version(library: Library, ref: DataRef) -> Iterator[Finding]:
    where = library.root / "catalog" / ref.dataset / "versions" / f"{ref.version}.yaml"
    version = library.version(ref)
    lexicon = library.lexicon()
    yield from _splits(where, version, version.time.calendar)
    for name in version.variables:
        if name not in lexicon:
            yield _error(where, f"{name} is not in the lexicon", "describe it there")
    for view in version.views:
        if view not in library.description(ref.dataset).views:
            yield _error(where, f"no view is called {view!r}", "describe it in the catalog")
    if version.fixes is not None:
        library.version(DataRef(ref.dataset, version.fixes))
    yield from _pin(library, ref, version)
    folder = library.root / "catalog" / "stats" / ref.dataset / str(ref.version)
    for file in sorted(folder.glob("*.yaml")):
        yield from _guarded(str(file), partial(_statistics, library, ref, file.stem, version))


def _pin(library: Library, ref: DataRef, version: Version) -> Iterator[Finding]:
    """A released version never changes: its DVC pin is the one that it was released with."""
    pin = library.root / "data" / ref.dataset / f"{ref.version}.dvc"
    if version.pin is None:
        return
    if not pin.exists():
        yield _error(pin, f"{ref} has lost its DVC pin", "take the file from git", "REG-301")
        return
    outs: list[dict[str, Any]] = library.values(pin).get("outs", [])
    found = outs[0].get("md5") if outs else None
    if found != version.pin:
        yield _error(
            pin,
            f"{ref} is released with the content {version.pin}, but its pin names {found}",
            "restore the pin; `reg data add` makes a new version of changed data",
            "REG-500",
        )


def _statistics(library: Library, ref: DataRef, name: str, version: Version) -> Iterator[Finding]:
    where = library.statistics_path(ref, name)
    statistics = library.statistics(ref, name)
    if statistics is None:
        return
    if statistics.dataset != str(ref) or statistics.source_digest != version.content:
        yield _error(
            where,
            f"the statistics are of {statistics.dataset} with other bytes than {ref}",
            f"reg stats compute {ref}",
        )


def _model(library: Library, name: str, scale: str | None) -> Iterator[Finding]:
    where = library.path("model", name)
    model = library.model(name, scale)
    ARCHITECTURES.find(model.architecture.name)
    for term in model.training.loss if model.training.kind == "gradient" else ():
        if term.name not in OWN_TERMS:
            LOSSES.find(term.name)
    lexicon = library.lexicon()
    for side in (model.inputs, model.targets):
        library.description(side.dataset)
        for variable in side.variables:
            if variable not in lexicon:
                yield _error(where, f"{variable} is not in the lexicon", "describe it there")
    for dataset, version in model.versions.items():
        library.version(DataRef(dataset, version))
    library.entry("protocol", model.evaluation.protocol, Protocol)
    for baseline in model.evaluation.baselines:
        library.path("model", baseline)


def _entries(library: Library) -> Iterator[Finding]:
    for name in library.ids("protocol"):
        yield from _guarded(f"registry/protocols/{name}.yaml", partial(_protocol, library, name))
    for name in library.ids("case"):
        yield from _guarded(f"registry/cases/{name}.yaml", partial(_cases, library, name))
    for name in library.ids("experiment"):
        yield from _guarded(
            f"registry/experiments/{name}.yaml", partial(_experiment, library, name)
        )
    for name in library.ids("card"):
        yield from _guarded(f"cards/{name}.yaml", partial(_card, library, name))


def _protocol(library: Library, name: str) -> Iterator[Finding]:
    where = library.path("protocol", name)
    protocol = library.entry("protocol", name, Protocol)
    lexicon = library.lexicon()
    for variable in protocol.variables:
        if variable not in lexicon:
            yield _error(where, f"{variable} is not in the lexicon", "describe it there")
    for threshold in protocol.thresholds:
        if threshold.variable in lexicon:
            units = lexicon[threshold.variable].units
            yield from _unit(where, threshold.variable, threshold.units, units)
    for baseline in protocol.baselines:
        library.path("model", baseline)


def _cases(library: Library, name: str) -> tuple[Finding, ...]:
    library.description(library.entry("case", name, Cases).dataset)
    return ()


def _experiment(library: Library, name: str) -> tuple[Finding, ...]:
    experiment = library.entry("experiment", name, Experiment)
    for model in experiment.models:
        library.path("model", model)
    for dataset in experiment.datasets:
        library.version(DataRef.parse(dataset))
    return ()


def _card(library: Library, name: str) -> tuple[Finding, ...]:
    library.path("model", library.card(name).model)
    return ()
