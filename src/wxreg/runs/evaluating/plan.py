"""The plan that pins an evaluation, and everything it reads, opened and checked."""

from __future__ import annotations

from wxreg.library.loading import Library
from wxreg.runs.evaluating.asked import Evaluation
from wxreg.runs.evaluating.checks import Sides, check_evaluation
from wxreg.runs.evaluating.fields import ForecastFields
from wxreg.runs.evaluating.opening import climate_periods, opened_streams
from wxreg.runs.evaluating.streams import Streams
from wxreg.runs.stores import ready_stores
from wxreg.specs.architecture import ARCHITECTURES, SCORES_SEMANTICS
from wxreg.specs.base import FrozenDict
from wxreg.specs.plan import EvaluatePlan, Provenance


def opened(library: Library, asked: Evaluation) -> Streams:
    """Check an evaluation and open everything that it reads."""
    (store,) = ready_stores(library, asked.truth)
    stored = tuple(map(ForecastFields, asked.beside))
    sides = Sides(ForecastFields(asked.forecast), store, asked.sampled, asked.truth, stored)
    check_evaluation(sides, asked.protocol, library.lexicon())
    return opened_streams(library, asked, sides)


def evaluation_plan(library: Library, asked: Evaluation, streams: Streams) -> EvaluatePlan:
    """The pinned intent: forecast, truth, protocol and every baseline by their digests."""
    about, protocol = asked.sampled.about, asked.protocol
    semantics = {"scores": SCORES_SEMANTICS}
    semantics |= {f"metric:{metric.id}": metric.semantics for metric in protocol.metrics}
    systems = {one.name: one.digest for one in streams.baselines}
    if streams.climatology is not None:
        systems["climatology"] = streams.climatology.digest
    for name in systems:
        if name not in {path.stem for path in asked.beside}:
            architecture = library.model(name).architecture.name
            semantics[f"baseline:{name}"] = ARCHITECTURES.find(architecture).semantics
    return EvaluatePlan(
        about=Provenance(model=about.model, scale=about.scale, protocol=protocol.id),
        semantics=FrozenDict(semantics),
        forecast=streams.forecast.digest,
        truth=asked.truth,
        protocol=protocol.digest(),
        baselines=tuple(one.name for one in streams.baselines),
        systems=FrozenDict(systems),
        periods=climate_periods(library, asked),
        leads=asked.sampled.leads,
    )
