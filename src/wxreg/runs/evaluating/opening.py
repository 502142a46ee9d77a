"""Open what an evaluation reads besides the forecast and the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wxreg.data.fields import FieldStore
from wxreg.data.windows import period_seconds
from wxreg.ids import DataRef
from wxreg.library.loading import Library
from wxreg.runs.evaluating.asked import Evaluation
from wxreg.runs.evaluating.baselines import BaselineForecasts, StoredBaseline
from wxreg.runs.evaluating.checks import Sides, mask_variables, needed_variables
from wxreg.runs.evaluating.climate import (
    UNPAIRED,
    ClimateDays,
    heavy_rain_limit,
    nearest_cells,
)
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.evaluating.needs import CLIMATOLOGY, coarse_variables
from wxreg.runs.evaluating.streams import Baseline, Streams
from wxreg.runs.scoring.keys import MODEL
from wxreg.runs.scoring.kinds import ANOMALIES
from wxreg.runs.scoring.settings import setting
from wxreg.runs.scoring.statistics import Domain
from wxreg.runs.scoring.wanted import Scoring
from wxreg.runs.stores import ready_stores
from wxreg.specs.plan import StorePlan
from wxreg.specs.protocol import Protocol
from wxreg.specs.timeaxis import Period


def opened_streams(library: Library, asked: Evaluation, sides: Sides) -> Streams:
    """Every side of an evaluation, ready to be read."""
    scoring = scoring_for(library, asked.protocol, asked.truth, sides.forecast)
    masks = [one for one in mask_variables(asked.protocol) if one not in scoring.channels]
    truth = TruthFields(sides.store, (*scoring.channels, *masks))
    made: list[Baseline] = [
        BaselineForecasts(library, asked.sampled, name) for name in asked.baselines
    ]
    made += [StoredBaseline(one, sides.forecast.leads) for one in sides.beside]
    streams = Streams(scoring, sides.forecast, truth, made)
    climate = None
    if scoring.wanted.keys() & UNPAIRED:
        climate = _climate(library, asked, sides, streams)
    return Streams(
        scoring, sides.forecast, truth, made,
        climatology=_climatology(library, asked, scoring),
        coarse=_coarse(library, asked),
        climate=climate,
        heads={MODEL: sides.forecast.heads, **{one.path.stem: one.heads for one in sides.beside}},
        truth_periods=_seconds(climate_periods(library, asked), asked.truth.calendar),
    )  # fmt: skip


def scoring_for(
    library: Library, protocol: Protocol, truth: StorePlan, forecast: ForecastFields
) -> Scoring:
    """What is computed of each pair of fields."""
    wanted = needed_variables(protocol)
    area = np.cos(np.deg2rad(forecast.lat)) if protocol.weights == "area" else None
    return Scoring(
        protocol=protocol,
        channels=tuple(c for c in forecast.channels if c.partition("@")[0] in wanted),
        domain=Domain.of(truth.grid, forecast.lat),
        lexicon=library.lexicon(),
        lat=forecast.lat,
        lon=forecast.lon,
        area=area,
    )


def members_of(streams: Streams) -> dict[str, int]:
    """How many members each source has."""
    return {MODEL: streams.forecast.members, **{one.name: one.members for one in streams.baselines}}


def climate_periods(library: Library, asked: Evaluation) -> tuple[Period, ...]:
    """The period of the truth that is compared where times are not paired."""
    if asked.protocol.pairing == "time":
        return ()
    splits = library.version(DataRef.parse(asked.truth.dataset)).splits
    return splits.periods(asked.protocol.split)


def _seconds(periods: tuple[Period, ...], calendar: str) -> tuple[tuple[int, int], ...]:
    return period_seconds(periods, calendar)


def _climatology(library: Library, asked: Evaluation, scoring: Scoring) -> Baseline | None:
    """The mean of the training split by place and hour, where anomalies are scored."""
    if not scoring.wanted.keys() & ANOMALIES:
        return None
    return BaselineForecasts(library, asked.sampled, CLIMATOLOGY)


def _coarse(library: Library, asked: Evaluation) -> TruthFields | None:
    names = coarse_variables(asked.protocol)
    if not names:
        return None
    (store,) = ready_stores(library, asked.sampled.inputs)
    return TruthFields(store, names)


def _climate(library: Library, asked: Evaluation, sides: Sides, streams: Streams) -> ClimateDays:
    scoring, truth = streams.scoring, streams.truth
    alike = truth.store.shape == sides.forecast.lat.shape
    limits: dict[str, NDArray[np.float64]] = {}
    if any(metric.id.startswith("r95p") for metric in asked.protocol.metrics):
        limits = _limits(library, asked, sides.store, scoring)
    return ClimateDays(
        scoring=scoring,
        members=members_of(streams),
        ninety_fifth=limits,
        calendar=sides.forecast.calendar,
        nearest=None if alike else nearest_cells(sides.forecast.lat, sides.forecast.lon, truth),
    )


def _limits(
    library: Library, asked: Evaluation, store: Path, scoring: Scoring
) -> dict[str, NDArray[np.float64]]:
    splits = library.version(DataRef.parse(asked.truth.dataset)).splits
    periods = period_seconds(splits.periods("train"), asked.truth.calendar)
    channels = scoring.wanted.get("climate", ())
    fields = FieldStore(store, channels)
    wet = setting(asked.protocol, "climate", "wet", 1.0)
    return {channel: heavy_rain_limit(fields, channel, periods, wet) for channel in channels}
