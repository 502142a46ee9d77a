"""``reg stats``: normalisation statistics of a version's training split, as a catalog file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import yaml

from wxreg import __version__
from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import write_text
from wxreg.data.prepare import Progress
from wxreg.data.statistics import DEFAULT_QUANTILES, StatisticsPlan, compute
from wxreg.data.statistics_checks import verify
from wxreg.errors import NotFound, RegError
from wxreg.findings import Finding
from wxreg.ids import DataRef
from wxreg.leadtime import Duration
from wxreg.library.loading import Library
from wxreg.runs.datasets.preparing import fetched_version, prepare_plan, prepared
from wxreg.specs.statistics import Statistics

_SCHEMA = "# yaml-language-server: $schema=../../../../src/wxreg/schemas/statistics.json\n"


def compute_statistics(
    library: Library,
    ref: DataRef,
    view: str,
    name: str | None = None,
    steps: tuple[Duration, ...] = (),
    *,
    more: tuple[str, ...] = (),
    quantiles: bool = True,
    workers: int = 2,
    progress: Progress | None = None,
) -> tuple[Path, Statistics]:
    """Compute the statistics of one view and write them into the catalog.

    ``more`` names derived variables beyond those of the view.  A file that has the same numbers
    already stays as it is.
    """
    plan = _plan(library, ref, view, name or view, steps, more, quantiles=quantiles)
    made = compute(plan, workers, progress)
    path = library.statistics_path(ref, plan.id)
    if _digest_of(library, ref, plan.id) == made.digest():
        return path, made
    body = json.loads(made.model_dump_json(exclude_defaults=True))
    text = yaml.safe_dump({"spec": 1, **body}, sort_keys=False, allow_unicode=True, width=100)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, _SCHEMA + text)
    return path, made


def _digest_of(library: Library, ref: DataRef, name: str) -> str | None:
    """The digest of a statistics file; none where it is not there, or damaged."""
    try:
        known = Library(library.root).statistics(ref, name)
    except RegError:
        return None
    return known.digest() if known else None


def verify_statistics(library: Library, ref: DataRef, name: str, view: str) -> list[Finding]:
    """Recount some channels of a statistics file and report every difference."""
    known = library.statistics(ref, name)
    if known is None:
        where = str(library.statistics_path(ref, name))
        hint = f"`reg stats compute {ref}` makes them"
        raise NotFound("REG-301", f"{ref} has no statistics {name!r}", where=where, hint=hint)
    found = {step for channel in known.channels.values() for step in channel.tendencies}
    steps = tuple(Duration.parse(step) for step in sorted(found))
    quantiles = any(channel.quantiles for channel in known.channels.values())
    named = tuple(channel.partition("@")[0] for channel in known.channels)
    return verify(known, _plan(library, ref, view, name, steps, named, quantiles=quantiles))


def _plan(
    library: Library,
    ref: DataRef,
    view: str,
    name: str,
    steps: tuple[Duration, ...],
    needed: tuple[str, ...],
    *,
    quantiles: bool,
) -> StatisticsPlan:
    version = library.version(ref)
    layout = Layout(library.root)
    recipe = prepare_plan(library, layout, ref, view, needed)
    store = prepared(recipe, lambda: fetched_version(library, layout, ref))
    lexicon = library.lexicon()
    described = library.description(ref.dataset).views.get(view)
    cadence = described.cadence if described and described.cadence else version.time.cadence
    return StatisticsPlan(
        id=name,
        dataset=str(ref),
        source_digest=version.content,
        store=store,
        splits=version.splits,
        variables=tuple(lexicon[variable] for variable in recipe.variables),
        steps=steps or (cadence,),
        quantiles=DEFAULT_QUANTILES if quantiles else (),
        code=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
