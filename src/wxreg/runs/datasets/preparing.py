"""Bringing a pinned dataset version to the canonical store that a plan reads."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Final

from wxreg.artifacts.dvc import pull_version
from wxreg.artifacts.layout import Layout
from wxreg.canonical import digest, short
from wxreg.data.derived import DAILY
from wxreg.data.masking import RangeMask, masks_of
from wxreg.data.prepare import PreparePlan, Progress, prepare, store_is_current
from wxreg.data.reading import ReadRequest
from wxreg.data.target import Target
from wxreg.errors import Incompatible, NotFound
from wxreg.ids import NATIVE, DataRef
from wxreg.leadtime import Duration
from wxreg.library.loading import Library
from wxreg.specs.dataset import Version, View
from wxreg.specs.plan import StorePlan
from wxreg.specs.timeaxis import TimeAxis
from wxreg.specs.variables import VariableEntry

_LONGEST_ADDITION: Final = 60


def prepared_store(
    library: Library,
    layout: Layout,
    store: StorePlan,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """The canonical store of one side of a plan; fetched and prepared where it is not current.

    Derived variables that only the plan names are computed now, into a store of their own.
    """
    ref = DataRef.parse(store.dataset)
    plan = prepare_plan(library, layout, ref, store.view, store.variables)
    return prepared(plan, lambda: fetched_version(library, layout, ref), workers, progress)


def prepared(
    plan: PreparePlan,
    fetch: Callable[[], object],
    workers: int = 2,
    progress: Progress | None = None,
) -> Path:
    """The store of a preparation, made now unless a current one is there."""
    if not store_is_current(plan.output, plan):
        fetch()
        prepare(plan, workers, progress)
    return plan.output


def fetched_version(library: Library, layout: Layout, ref: DataRef) -> Path:
    """The verified bytes of a version; pulled through DVC where they are not here."""
    version = library.version(ref)
    folder = layout.version(version.dataset, version.name)
    pull_version(layout.root, version.dataset, version.name, version.content)
    if not folder.exists():
        raise NotFound(
            "REG-301", f"the bytes of {ref} are not here", hint=f"`reg pull {ref}` fetches them"
        )
    return folder


def prepare_plan(
    library: Library, layout: Layout, ref: DataRef, view: str, needed: tuple[str, ...] = ()
) -> PreparePlan:
    """How one view of a version is prepared, from its catalog entry alone.

    ``needed`` variables that the view does not list are derived besides.
    """
    version = library.version(ref)
    listed = store_variables(library, version, view)
    more = tuple(sorted(set(needed) - set(listed)))
    wanted = listed + more
    request = _request(library, layout, version, view, wanted)
    return PreparePlan(
        request=request,
        output=store_path(layout, version, view, more),
        variables=wanted,
        source_digest=version.content,
        gaps=library.description(version.dataset).gaps,
        target=_target(library, version, view),
        masks=masks_for(library, version.dataset, request),
        every=_every(library, version, view, wanted),
    )


def masks_for(library: Library, dataset: str, request: ReadRequest) -> tuple[RangeMask, ...]:
    """What the catalog's rules mask of the variables that are read."""
    rules = library.description(dataset).quality
    if request.forecast is not None:
        rules = tuple(rule for rule in rules if rule.rule != "bad-at-f00")
    return masks_of(rules, library.lexicon(), [entry.id for entry in request.entries])


def store_path(layout: Layout, version: Version, view: str, more: tuple[str, ...] = ()) -> Path:
    """Where the store of a view lies; one with more variables lies beside it."""
    path = layout.prepared(version.dataset, version.name)
    name = path.stem if view == NATIVE else f"{path.stem}-{view}"
    added = "".join(f"+{variable}" for variable in more)
    if len(added) > _LONGEST_ADDITION:
        added = f"+{short(digest('variables', list(more)))}"
    return path.with_name(f"{name}{added}{path.suffix}")


def store_variables(library: Library, version: Version, view: str) -> tuple[str, ...]:
    """The variables of a view's store: those that it lists, or else all of its product.

    What the dataset holds in another product belongs to the views of that product.
    """
    chosen = library.description(version.dataset).views.get(view)
    if chosen is not None and chosen.variables:
        return chosen.variables
    held = _entries_held(library, version, chosen)
    elsewhere = {entry.id for entry in library.entries(version.dataset)} - set(held)
    return tuple(name for name in version.variables if name not in elsewhere)


def _entries_held(
    library: Library, version: Version, view: View | None
) -> dict[str, list[VariableEntry]]:
    """How each variable is read that the version has in the product of a view."""
    if version.layout == "canonical":
        units = {name: library.lexicon()[name].units for name in version.variables}
        return {name: [VariableEntry(id=name, units=unit)] for name, unit in units.items()}
    product = _product(version, view)
    found: dict[str, list[VariableEntry]] = {}
    for entry in library.entries(version.dataset):
        if entry.id in version.variables and entry.held_by(product):
            found.setdefault(entry.id, []).append(entry)
    return found


def _product(version: Version, view: View | None) -> str | None:
    products = (view.product,) if view and view.product else version.products
    return products[0] if len(products) == 1 else None


def _inputs(library: Library, held: Container[str], name: str, where: str) -> Iterator[str]:
    """What must be read for a variable: itself, or the inputs that it is derived from."""
    if name in held:
        yield name
        return
    variable = library.lexicon().get(name)
    if variable is None or variable.derived is None:
        raise Incompatible(
            "REG-433",
            f"{where} neither holds {name} nor what it could be derived from",
            hint="leave it out of the view, or map it in the catalog's variable table",
        )
    for part in variable.derived.inputs:
        yield from _inputs(library, held, part, where)


def _request(
    library: Library, layout: Layout, version: Version, view: str, wanted: tuple[str, ...]
) -> ReadRequest:
    described = library.description(version.dataset)
    chosen = described.views.get(view)
    held = _entries_held(library, version, chosen)
    where = f"the view {view!r} of {version.id}"
    read = dict.fromkeys(part for name in wanted for part in _inputs(library, held, name, where))
    return ReadRequest(
        layout=version.layout,
        location=str(layout.version(version.dataset, version.name)),
        entries=tuple(entry for name in read for entry in held[name]),
        lexicon=library.lexicon(),
        time=_axis(version, chosen),
        grid=version.grid or described.grid,
        levels=(chosen.levels if chosen and chosen.levels else version.levels),
        product=_product(version, chosen),
        options=version.options,
        damage_record=damage_record(layout, version.dataset),
        forecast=chosen.forecast if chosen else None,
    )


def damage_record(layout: Layout, dataset: str) -> Path:
    """Where readers remember which files of a dataset are damaged."""
    return layout.root / ".reg" / "cache" / "damage" / f"{dataset}.json"


def _axis(version: Version, view: View | None) -> TimeAxis:
    """The steps of what is read: those of the product, where a view is made from one."""
    if view is None or view.product is None or view.cadence is None:
        return version.time
    return version.time.model_copy(update={"cadence": view.cadence})


def _every(
    library: Library, version: Version, view: str, wanted: tuple[str, ...]
) -> Duration | None:
    """The cadence of a view, where it is coarser than what is read; days are formed by formulas."""
    chosen = library.description(version.dataset).views.get(view)
    if chosen is None or chosen.cadence in (None, _axis(version, chosen).cadence):
        return None
    derived = [library.lexicon()[name].derived for name in wanted]
    daily = any(one is not None and one.formula in DAILY for one in derived)
    return None if daily else chosen.cadence


def _target(library: Library, version: Version, view: str) -> Target:
    if view == NATIVE:
        return Target()
    described = library.description(version.dataset).views.get(view)
    grid = version.views.get(view)
    if described is None or grid is None:
        raise Incompatible("REG-461", f"{version.id} has no view {view!r}")
    if described.regrid == "none":
        return Target()
    if described.regrid == "bilinear":
        return Target(grid=grid)
    own = version.grid or library.description(version.dataset).grid
    if own is None or own.shape[0] % grid.shape[0]:
        raise Incompatible("REG-461", f"{version.id} does not divide into the view {view!r}")
    return Target(block=own.shape[0] // grid.shape[0])
