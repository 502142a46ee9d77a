"""From a match that fits to a pinned plan: pure, and the only place where plans are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wxreg.errors import Incompatible
from wxreg.resolve.match import Hold, Match
from wxreg.specs.architecture import (
    ARCHITECTURES,
    EVENT_NOISE_SEMANTICS,
    LOSSES,
    OWN_TERMS,
    PREPARE_SEMANTICS,
    READERS,
    SAMPLERS,
    SCORES_SEMANTICS,
)
from wxreg.specs.base import FrozenDict
from wxreg.specs.plan import (
    EvaluatePlan,
    Provenance,
    SamplePlan,
    Selection,
    Starts,
    StorePlan,
    TrainPlan,
)

if TYPE_CHECKING:
    from wxreg.specs.protocol import Cases, Protocol


def train_plan(match: Match, teacher: TrainPlan | None = None) -> TrainPlan:
    """How the checkpoint of this match comes to be; a student's plan names its teacher's."""
    model = match.model
    semantics, plugins = _semantics(match)
    return TrainPlan(
        about=_about(match),
        semantics=semantics,
        plugins=plugins,
        task=model.task,
        architecture=model.architecture,
        inputs=store_plan(match, match.inputs),
        targets=store_plan(match, match.targets),
        history=model.inputs.history,
        lead=model.lead,
        splits=_version(match.targets).splits,
        training=model.training.model_copy(update={"teacher": None}),
        teacher=_selected(teacher) if teacher else None,
        seed=match.request.seed,
    )


def sample_plan(match: Match, trained_by: TrainPlan | None, cases: Cases | None) -> SamplePlan:
    """How a forecast of this match comes to be; ``trained_by`` is none for untrained systems."""
    model, request = match.model, match.request
    semantics, plugins = _semantics(match)
    if _version(match.inputs).time.segments:
        semantics = FrozenDict({**semantics, "event-noise": EVENT_NOISE_SEMANTICS})
    sampling = model.sampling
    if request.members is not None:
        sampling = sampling.model_copy(update={"members": request.members})
    selection = None
    if trained_by is not None and request.checkpoint is None:
        selection = _selected(trained_by, request.rule)
    untrained = trained_by is None and request.checkpoint is None
    return SamplePlan(
        about=_about(match, cases=request.cases),
        semantics=semantics,
        plugins=plugins,
        checkpoint=request.checkpoint,
        selection=selection,
        architecture=model.architecture if untrained else None,
        inputs=store_plan(match, match.inputs),
        targets=store_plan(match, match.targets),
        history=model.inputs.history,
        lead=model.lead,
        leads=match.leads,
        starts=_starts(match, cases),
        sampling=sampling,
        seed=request.seed,
        post=model.post,
    )


def _selected(trained_by: TrainPlan, rule: str | None = None) -> Selection:
    """Which checkpoint of a training is meant: the one it selects unless a rule is named."""
    return Selection(train_plan=trained_by.digest(), rule=rule or trained_by.training.select)


def evaluate_plan(
    match: Match, protocol: Protocol, *, forecast: str | None, sampled: SamplePlan | None
) -> EvaluatePlan:
    """How the scores of a forecast come to be."""
    baselines = match.request.baselines or match.model.evaluation.baselines or protocol.baselines
    return EvaluatePlan(
        about=_about(match, protocol=protocol.id),
        semantics=FrozenDict(
            {
                "scores": SCORES_SEMANTICS,
                **{f"metric:{metric.id}": metric.semantics for metric in protocol.metrics},
            }
        ),
        forecast=forecast,
        sample_plan=sampled.digest() if sampled else None,
        truth=store_plan(match, match.targets),
        protocol=protocol.digest(),
        baselines=baselines,
        leads=match.leads,
    )


def store_plan(match: Match, hold: Hold) -> StorePlan:
    """The exact fields that one side reads."""
    version, grid = _version(hold), hold.grid
    if grid is None:
        raise Incompatible("REG-400", f"{hold.ref} gives no grid for its view {hold.side.view!r}")
    view, side = hold.view, hold.side
    return StorePlan(
        dataset=version.id,
        content=version.content,
        layout=version.layout,
        product=view.product if view else (version.products[0] if version.products else None),
        view=side.view,
        variables=tuple(dict.fromkeys((*side.variables, *hold.statics))),
        channels=match.channels(side),
        statics=hold.statics,
        grid=grid,
        regrid=view.regrid if view else "none",
        cadence=hold.cadence,
        calendar=version.time.calendar,
        gaps=hold.description.gaps,
        segments=version.time.segments,
        forecast=view.forecast if view else None,
        statistics=hold.statistics.digest() if hold.statistics else None,
    )


def _version(hold: Hold) -> Any:
    if hold.version is None:
        raise Incompatible("REG-400", f"{hold.ref} has no version, so nothing can be pinned")
    return hold.version


def _starts(match: Match, cases: Cases | None) -> Starts:
    request = match.request
    splits = _version(match.targets).splits
    if cases is not None:
        return Starts(
            split=cases.split,
            periods=splits.periods(cases.split) if cases.split else (),
            cases=cases.digest(),
            limit=request.limit,
        )
    if request.times:
        return Starts(times=request.times)
    split = request.split or "test"
    return Starts(split=split, periods=splits.periods(split), limit=request.limit)


def _about(match: Match, *, protocol: str | None = None, cases: str | None = None) -> Provenance:
    model = match.model
    trained = model.lead.trained
    return Provenance(
        model=model.id,
        scale=match.request.scale,
        extrapolated=any(lead > trained[-1] or lead < trained[0] for lead in match.leads),
        provisional=_provisional(match),
        statistics=FrozenDict(
            {
                hold.role: f"{hold.ref}/{hold.statistics.id}"
                for hold in match.holds
                if hold.statistics
            }
        ),
        protocol=protocol,
        cases=cases,
    )


def _provisional(match: Match) -> tuple[str, ...]:
    touched = []
    for hold in match.holds:
        version = hold.version
        if version is None or version.provisional is None:
            continue
        names = ("train", "validation") if match.request.task == "train" else ("test",)
        periods = [period for name in names for period in version.splits.periods(name)]
        if any(period.overlaps(version.provisional) for period in periods):
            touched.append(f"{hold.ref}: {version.provisional}")
    return tuple(dict.fromkeys(touched))


def _semantics(match: Match) -> tuple[FrozenDict, FrozenDict]:
    """The semantics of every named part, and the distributions of those that plug-ins bring."""
    model = match.model
    parts = {f"architecture:{model.architecture.name}": ARCHITECTURES.find(model.architecture.name)}
    terms = model.training.loss if model.training.kind == "gradient" else ()
    for term in terms:
        if term.name not in OWN_TERMS:
            parts[f"loss:{term.name}"] = LOSSES.find(term.name)
    sampler = model.sampling.sampler.get("name")
    if isinstance(sampler, str):
        parts[f"sampler:{sampler}"] = SAMPLERS.find(sampler)
    for hold in match.holds:
        layout = _version(hold).layout
        parts[f"reader:{layout}"] = READERS.find(layout)
    semantics = {name: part.semantics for name, part in parts.items()}
    plugins = {name: part.distribution for name, part in parts.items() if part.distribution}
    return FrozenDict({**semantics, "prepare": PREPARE_SEMANTICS}), FrozenDict(plugins)
