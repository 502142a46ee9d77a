"""Everything that can be wrong with an evaluation, found before any field is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from wxreg.errors import Incompatible, RegError
from wxreg.ids import near_names
from wxreg.runs.evaluating.bytes import byte_findings
from wxreg.runs.evaluating.fields import ForecastFields
from wxreg.runs.evaluating.needs import constrained_variables, metric_findings
from wxreg.runs.scoring.rows import lead_text
from wxreg.runs.scoring.series import skipped
from wxreg.runs.scoring.statistics import constraint_of
from wxreg.scores.catalogue import METRICS
from wxreg.scores.events import Event
from wxreg.specs.plan import SamplePlan, StorePlan
from wxreg.specs.protocol import Protocol
from wxreg.specs.units import conversion
from wxreg.specs.variables import Variable

_NEAR = 0.01
"""How far cells of forecast and truth may lie apart, in cells."""


@dataclass(frozen=True)
class Sides:
    """What an evaluation is about to compare."""

    forecast: ForecastFields
    store: Path
    """The canonical store of the truth."""
    sampled: SamplePlan | None = None
    """The plan of the forecast; none where only the two stores are known."""
    truth: StorePlan | None = None
    beside: tuple[ForecastFields, ...] = ()
    """Other forecasts."""


def check_evaluation(sides: Sides, protocol: Protocol, lexicon: Mapping[str, Variable]) -> None:
    """Refuse with every reason at once."""
    found = [*_protocol(sides.forecast, protocol, lexicon), *_heads(sides.forecast, protocol)]
    stores = (sides.forecast.path, sides.store, *(other.path for other in sides.beside))
    found += (one for store in dict.fromkeys(stores) for one in byte_findings(store))
    with xr.open_zarr(sides.store, consolidated=False) as opened:
        found += _sides(sides.forecast, opened, protocol, lexicon)
    found += metric_findings(sides.sampled, sides.truth, protocol, lexicon)
    for other in sides.beside:
        found += _beside(sides.forecast, other, protocol)
    if found:
        reasons = "\n".join(f"  {reason}" for reason in dict.fromkeys(found))
        raise Incompatible(
            "REG-465",
            f"this forecast cannot be scored with {protocol.id}:\n{reasons}",
            where=str(sides.forecast.path),
            hint="choose another --protocol or --against; `reg show` prints a protocol in full",
        )


def _beside(forecast: ForecastFields, other: ForecastFields, protocol: Protocol) -> Iterator[str]:
    """Another forecast is compared on the same cells, leads and variables."""
    name = other.path.stem
    if other.lat.shape != forecast.lat.shape:
        yield f"{name} has {other.lat.shape} cells, the forecast {forecast.lat.shape}"
    lacking = [lead_text(lead) for lead in forecast.leads if lead not in other.leads]
    if lacking:
        yield f"{name} has no lead {', '.join(lacking)}"
    if not set(forecast.starts) & set(other.starts):
        yield f"{name} has no initial time of the forecast"
    have = {channel.partition("@")[0] for channel in other.channels}
    for variable in needed_variables(protocol):
        if variable not in have:
            yield f"{name} has no {variable}"
        elif other.units.get(variable) != forecast.units.get(variable):
            yield f"{variable} is in {other.units.get(variable)} in {name}"


def _protocol(
    forecast: ForecastFields, protocol: Protocol, lexicon: Mapping[str, Variable]
) -> Iterator[str]:
    unknown = [metric.id for metric in protocol.metrics if metric.id not in METRICS]
    for name in unknown:
        near = near_names(name, METRICS)
        yield f"there is no metric {name!r}" + (f"; near: {', '.join(near)}" if near else "")
    known = [metric for metric in protocol.metrics if metric.id in METRICS]
    if known and all(skipped(metric, forecast.members) for metric in known):
        names = ", ".join(metric.id for metric in known)
        yield f"{names}: undefined for one member; sample the forecast with --members 2 or more"
    yield from _thresholds(protocol, lexicon)
    yield from _expressions(protocol, lexicon)
    for declared in protocol.constraints:
        try:
            constraint_of(declared)
        except RegError as error:
            yield str(error)


def _heads(forecast: ForecastFields, protocol: Protocol) -> Iterator[str]:
    known = {channel.partition("@")[0] for channel in forecast.heads}
    for metric in protocol.metrics:
        if metric.id not in METRICS or "head" not in METRICS[metric.id].needs:
            continue
        lacking = [one for one in metric.variables or protocol.variables if one not in known]
        if lacking:
            yield (
                f"{metric.id}: the forecast has no head's parameters of {', '.join(lacking)}; "
                "a system with a normal head keeps them with --set sampling.parameters=true"
            )


def _thresholds(protocol: Protocol, lexicon: Mapping[str, Variable]) -> Iterator[str]:
    for threshold in protocol.thresholds:
        name = threshold.variable
        if not threshold.units.strip():
            yield f"the thresholds of {name} have no units"
        elif name in lexicon:
            try:
                conversion(threshold.units, lexicon[name].units)
            except RegError as error:
                yield f"the thresholds of {name}: {error}"
    bare = {threshold.variable for threshold in protocol.thresholds}
    for metric in protocol.metrics:
        needs = METRICS[metric.id].needs if metric.id in METRICS else ()
        if "threshold" in needs and not bare & set(metric.variables or protocol.variables):
            yield f"{metric.id} needs thresholds, and the protocol has none for its variables"


def _expressions(protocol: Protocol, lexicon: Mapping[str, Variable]) -> Iterator[str]:
    texts = {mask.name: mask.where for mask in protocol.masks} | dict(protocol.events)
    for name, text in texts.items():
        try:
            event = Event.parse(text)
        except RegError as error:
            yield f"{name}: {error}"
            continue
        canonical = {lexicon[one].units for one in event.variables if one in lexicon}
        for units in event.units:
            if units not in canonical:
                known = ", ".join(sorted(canonical))
                yield f"{name}: {units} is not the unit of its variables ({known})"


def _sides(
    forecast: ForecastFields,
    truth: xr.Dataset,
    protocol: Protocol,
    lexicon: Mapping[str, Variable],
) -> Iterator[str]:
    if protocol.pairing == "time":
        yield from _grids(forecast, truth)
        yield from _calendars(forecast, truth)
    elif forecast.lat.shape != (truth.sizes["y"], truth.sizes["x"]):
        yield from _places(truth)
    if len(set(forecast.starts)) != len(forecast.starts):
        yield "the forecast has an init time twice"
    yield from _variables(forecast, truth, protocol, lexicon)
    yield from _levels(forecast, truth, protocol)


def _places(truth: xr.Dataset) -> Iterator[str]:
    """Each cell or station of the truth takes the forecast's nearest cell, so it needs a place."""
    have = [name for name in ("lat", "lon") if name in truth.variables]
    if len(have) < 2 or any(np.isnan(truth[name].values).any() for name in have):
        yield (
            "it is not known where the truth's cells or stations lie; of GHCN stations "
            "ghcnd-stations.txt says so, where it lies beside their files when they are prepared"
        )


def _calendars(forecast: ForecastFields, truth: xr.Dataset) -> Iterator[str]:
    calendar = str(truth["time"].dt.calendar)
    standard = {"standard", "gregorian", "proleptic_gregorian"}
    if calendar != forecast.calendar and not {calendar, forecast.calendar} <= standard:
        yield f"calendars differ: the forecast has {forecast.calendar}, the truth {calendar}"


def _variables(
    forecast: ForecastFields,
    truth: xr.Dataset,
    protocol: Protocol,
    lexicon: Mapping[str, Variable],
) -> Iterator[str]:
    have = {channel.partition("@")[0] for channel in forecast.channels}
    masked = {one for mask in protocol.masks for one in _variables_of(mask.where)}
    for name in needed_variables(protocol):
        if name not in lexicon:
            yield f"the lexicon has no variable {name}"
        if name not in have:
            yield f"the forecast has no {name}; it has {', '.join(sorted(have))}"
    compared = {*needed_variables(protocol), *masked} - _only_constrained(protocol)
    for name in sorted(compared):
        if name not in truth.data_vars:
            yield f"the truth has no {name}"
        elif name in have:
            yield from _units(name, forecast, truth)


def _units(name: str, forecast: ForecastFields, truth: xr.Dataset) -> Iterator[str]:
    """Equal names of accumulations already mean equal lengths: the length is in the name."""
    mine, theirs = forecast.units.get(name, ""), str(truth[name].attrs.get("units", ""))
    if mine != theirs:
        yield f"{name} is in {mine or 'no units'} in the forecast, {theirs or 'none'} in the truth"


def _grids(forecast: ForecastFields, truth: xr.Dataset) -> Iterator[str]:
    shape = (truth.sizes["y"], truth.sizes["x"])
    if forecast.lat.shape != shape:
        what = f"{shape[1]} stations" if "stations" in truth.attrs else f"{shape} cells"
        yield f"grids differ: the forecast has {forecast.lat.shape} cells, the truth {what}"
        return
    if "lat" not in truth.variables or np.isnan(forecast.lat).all():
        return
    for name, mine in (("lat", forecast.lat), ("lon", forecast.lon)):
        theirs = np.asarray(truth[name].values, np.float64)
        spacing = max(float(np.abs(np.diff(theirs, axis=axis)).max(initial=0)) for axis in (0, 1))
        if float(np.nanmax(np.abs(mine - theirs))) > _NEAR * spacing:
            yield f"grids differ: the cells lie at another {name}"


def _levels(forecast: ForecastFields, truth: xr.Dataset, protocol: Protocol) -> Iterator[str]:
    have = [float(one) for one in truth["level"].values] if "level" in truth.coords else []
    for channel in forecast.channels:
        name, _, level = channel.partition("@")
        if name in needed_variables(protocol) and level and float(level) not in have:
            yield f"the truth has no {name} at level {level}"


def needed_variables(protocol: Protocol) -> tuple[str, ...]:
    """What the forecast must hold to be scored with a protocol."""
    names = [*protocol.variables]
    for metric in protocol.metrics:
        names += metric.variables
    for text in protocol.events.values():
        names += _variables_of(text)
    return tuple(dict.fromkeys([*names, *constrained_variables(protocol)]))


def _only_constrained(protocol: Protocol) -> set[str]:
    """Variables that constraints look at and nothing else, so that the truth may lack them."""
    scored = {*protocol.variables, *(v for metric in protocol.metrics for v in metric.variables)}
    scored |= {one for text in protocol.events.values() for one in _variables_of(text)}
    return set(constrained_variables(protocol)) - scored


def mask_variables(protocol: Protocol) -> tuple[str, ...]:
    """What the truth must hold besides, for the masks."""
    return tuple(dict.fromkeys(one for m in protocol.masks for one in _variables_of(m.where)))


def _variables_of(text: str) -> tuple[str, ...]:
    try:
        return Event.parse(text).variables
    except RegError:
        return ()
