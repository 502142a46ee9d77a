"""Everything that can be wrong with an evaluation, found before any field is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from wxreg.errors import Incompatible, RegError
from wxreg.ids import near_names
from wxreg.runs.evaluating_fields import ForecastFields
from wxreg.runs.scoring_series import skipped
from wxreg.runs.scoring_statistics import COMPUTED, constraint_of
from wxreg.scores.catalogue import METRICS
from wxreg.scores.events import Event
from wxreg.specs.protocol import Protocol
from wxreg.specs.units import conversion
from wxreg.specs.variables import Variable

_NEAR = 0.01
"""How far cells of forecast and truth may lie apart, in cells."""


def check_evaluation(
    forecast: ForecastFields, truth: Path, protocol: Protocol, lexicon: Mapping[str, Variable]
) -> None:
    """Refuse with every reason at once."""
    found = [*_protocol(forecast, protocol, lexicon)]
    with xr.open_zarr(truth, consolidated=False) as opened:
        found += _sides(forecast, opened, protocol, lexicon)
    if found:
        reasons = "\n".join(f"  {reason}" for reason in dict.fromkeys(found))
        raise Incompatible(
            "REG-465",
            f"this forecast cannot be scored with {protocol.id}:\n{reasons}",
            where=str(forecast.path),
            hint="choose another --protocol or --against; `reg show` prints a protocol in full",
        )


def _protocol(
    forecast: ForecastFields, protocol: Protocol, lexicon: Mapping[str, Variable]
) -> Iterator[str]:
    unknown = [metric.id for metric in protocol.metrics if metric.id not in METRICS]
    for name in unknown:
        near = near_names(name, METRICS)
        yield f"there is no metric {name!r}" + (f"; near: {', '.join(near)}" if near else "")
    known = [metric for metric in protocol.metrics if metric.id in METRICS]
    for metric in known:
        if METRICS[metric.id].statistic not in COMPUTED:
            yield f"{metric.id} is not computed from single fields; score it from Python"
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
    yield from _grids(forecast, truth)
    calendar = str(truth["time"].dt.calendar)
    standard = {"standard", "gregorian", "proleptic_gregorian"}
    if calendar != forecast.calendar and not {calendar, forecast.calendar} <= standard:
        yield f"calendars differ: the forecast has {forecast.calendar}, the truth {calendar}"
    if len(set(forecast.inits)) != len(forecast.inits):
        yield "the forecast has an init time twice"
    have = {channel.partition("@")[0] for channel in forecast.channels}
    masked = {one for mask in protocol.masks for one in _variables_of(mask.where)}
    for name in needed_variables(protocol):
        if name not in lexicon:
            yield f"the lexicon has no variable {name}"
        if name not in have:
            yield f"the forecast has no {name}; it has {', '.join(sorted(have))}"
    for name in sorted({*needed_variables(protocol), *masked}):
        if name not in truth.data_vars:
            yield f"the truth has no {name}"
        elif name in have:
            yield from _units(name, forecast, truth)
    yield from _levels(forecast, truth, protocol)


def _units(name: str, forecast: ForecastFields, truth: xr.Dataset) -> Iterator[str]:
    """Equal names of accumulations already mean equal lengths: the length is in the name."""
    mine, theirs = forecast.units.get(name, ""), str(truth[name].attrs.get("units", ""))
    if mine != theirs:
        yield f"{name} is in {mine or 'no units'} in the forecast, {theirs or 'none'} in the truth"


def _grids(forecast: ForecastFields, truth: xr.Dataset) -> Iterator[str]:
    shape = (truth.sizes["y"], truth.sizes["x"])
    if forecast.lat.shape != shape:
        yield f"grids differ: the forecast has {forecast.lat.shape} cells, the truth {shape}"
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
    return tuple(dict.fromkeys(names))


def mask_variables(protocol: Protocol) -> tuple[str, ...]:
    """What the truth must hold besides, for the masks."""
    return tuple(dict.fromkeys(one for m in protocol.masks for one in _variables_of(m.where)))


def _variables_of(text: str) -> tuple[str, ...]:
    try:
        return Event.parse(text).variables
    except RegError:
        return ()
