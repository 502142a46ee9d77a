"""What single metrics need of a protocol, a forecast and its plan, checked before any field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from wxreg.errors import RegError
from wxreg.runs.evaluating.climate import UNPAIRED
from wxreg.runs.scoring.kinds import COMPUTED
from wxreg.runs.scoring.settings import HISTOGRAMS, KNOWN_SETTINGS, histogram_edges
from wxreg.runs.scoring.statistics import INPUT, constraint_of
from wxreg.scores.catalogue import METRICS
from wxreg.specs.plan import SamplePlan, StorePlan
from wxreg.specs.protocol import MetricRef, Protocol
from wxreg.specs.variables import Variable

CLIMATOLOGY: Final = "climatology"
"""The entry whose forecasts anomalies are taken from."""
_DAY: Final = 86_400
_MOST_BINS: Final = 10


def metric_findings(
    sampled: SamplePlan | None,
    truth: StorePlan | None,
    protocol: Protocol,
    lexicon: Mapping[str, Variable],
) -> Iterator[str]:
    """Why some metrics of a protocol cannot be computed."""
    for metric in protocol.metrics:
        if metric.id in METRICS:
            yield from _metric(metric, protocol, lexicon)
    asked = {METRICS[metric.id].statistic for metric in protocol.metrics if metric.id in METRICS}
    if "event" in asked and not protocol.events:
        yield "metrics of events are asked for, and the protocol declares no events"
    if "constraint" in asked and not protocol.constraints:
        yield "violation rates are asked for, and the protocol declares no constraints"
    bins = 1 + 2 * len(protocol.masks) + len(protocol.regions)
    if bins > _MOST_BINS:
        yield f"masks and regions make {bins} overlapping bins; at most {_MOST_BINS} fit"
    if protocol.pairing == "distribution" and (protocol.masks or protocol.regions):
        yield "masks and regions need paired times, and the protocol's pairing is distribution"
    if "climate" in asked and truth is not None and truth.cadence.seconds != _DAY:
        yield f"climate metrics need daily data; the truth comes every {truth.cadence}"
    if sampled is not None:
        yield from _inputs(sampled, protocol)


def _metric(
    metric: MetricRef, protocol: Protocol, lexicon: Mapping[str, Variable]
) -> Iterator[str]:
    statistic = METRICS[metric.id].statistic
    if statistic not in COMPUTED:
        yield f"{metric.id} is not computed from a forecast"
    if protocol.pairing == "distribution" and statistic not in UNPAIRED:
        yield f"{metric.id} pairs times, and the protocol's pairing is distribution"
    for name in sorted(set(metric.settings) - KNOWN_SETTINGS.get(statistic, frozenset())):
        known = ", ".join(sorted(KNOWN_SETTINGS.get(statistic, frozenset()))) or "none"
        yield f"{metric.id} has no setting {name!r}; it has {known}"
    for name in metric.variables or protocol.variables:
        variable = lexicon.get(name)
        if variable is None:
            continue
        if statistic in HISTOGRAMS:
            yield from _histogram(protocol, statistic, variable)
        if statistic == "vector" and metric.variables and variable.vector is None:
            yield f"{metric.id}: {name} is no component of a vector"
    if statistic == "vector" and not _has_vector(metric, protocol, lexicon):
        yield f"{metric.id} needs both components of a vector among the protocol's variables"


def _histogram(protocol: Protocol, statistic: str, variable: Variable) -> Iterator[str]:
    try:
        histogram_edges(protocol, statistic, variable)
    except RegError as error:
        yield f"{error.message}: {error.hint}"


def _has_vector(metric: MetricRef, protocol: Protocol, lexicon: Mapping[str, Variable]) -> bool:
    names = {*protocol.variables, *metric.variables}
    known = [lexicon[name] for name in names if name in lexicon]
    return any(one.vector == "x" and one.partner in names for one in known)


def _inputs(sampled: SamplePlan, protocol: Protocol) -> Iterator[str]:
    """What constraints against the input need of the model's inputs."""
    for name in coarse_variables(protocol):
        if name not in sampled.inputs.channels:
            yield f"conserves_blocks needs {name} among the model's inputs"
            return
    if coarse_variables(protocol):
        fine, given = sampled.targets.grid.shape, sampled.inputs.grid.shape
        if any(a % b for a, b in zip(fine, given, strict=True)):
            yield f"conserves_blocks: {fine} cells do not divide into {given} blocks"


def constrained_variables(protocol: Protocol) -> tuple[str, ...]:
    """What the forecast must hold for the constraints."""
    return tuple(one for one in _constraint_variables(protocol) if not one.startswith(INPUT))


def coarse_variables(protocol: Protocol) -> tuple[str, ...]:
    """What the input must hold for the constraints."""
    found = _constraint_variables(protocol)
    return tuple(one.removeprefix(INPUT) for one in found if one.startswith(INPUT))


def _constraint_variables(protocol: Protocol) -> tuple[str, ...]:
    found: list[str] = []
    for declared in protocol.constraints:
        try:
            found += constraint_of(declared).variables
        except RegError:
            continue
    return tuple(dict.fromkeys(found))
