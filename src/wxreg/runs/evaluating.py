"""``reg evaluate``: a forecast, its truth and a protocol become one sealed set of scores."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wxreg.artifacts.layout import Layout
from wxreg.canonical import canonical_json
from wxreg.errors import Incompatible
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.runs.baselines import BaselineForecasts
from wxreg.runs.environment import conditions
from wxreg.runs.evaluating_checks import check_evaluation, mask_variables, needed_variables
from wxreg.runs.evaluating_fields import Field, ForecastFields, TruthFields
from wxreg.runs.evaluating_tally import Tally, forget_tally, keep_tally, kept_tally
from wxreg.runs.progress import Bar
from wxreg.runs.recording import Run, recorded
from wxreg.runs.scoring import Scoring
from wxreg.runs.scoring_files import table_json, write_scores
from wxreg.runs.scoring_keys import MODEL, StateKey, hour_bin, season_bin
from wxreg.runs.scoring_rows import Table, lead_text, rows_of
from wxreg.runs.scoring_series import skipped
from wxreg.runs.scoring_statistics import Domain
from wxreg.runs.stores import ready_stores
from wxreg.specs.architecture import ARCHITECTURES, SCORES_SEMANTICS
from wxreg.specs.base import FrozenDict
from wxreg.specs.plan import EvaluatePlan, Provenance, SamplePlan, StorePlan
from wxreg.specs.protocol import Protocol

_DAY = 86_400
_KEEP_SECONDS = 60.0


@dataclass(frozen=True)
class Evaluation:
    """What is scored, against what, and how."""

    forecast: Path
    sampled: SamplePlan
    """The plan that the forecast names."""
    truth: StorePlan
    protocol: Protocol
    baselines: tuple[str, ...] = ()
    quiet: bool = False


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation left."""

    run: str
    folder: Path
    document: Mapping[str, Any]
    """As ``reg evaluate --json`` prints it."""


def evaluate(library: Library, ledger: Ledger, asked: Evaluation) -> Evaluated:
    """Score a forecast and its baselines on the same fields, and record it."""
    (store,) = ready_stores(library, asked.truth)
    forecast = ForecastFields(asked.forecast)
    check_evaluation(forecast, store, asked.protocol, library.lexicon())
    baselines = [BaselineForecasts(library, asked.sampled, name) for name in asked.baselines]
    scoring = scoring_for(library, asked.protocol, asked.truth, forecast)
    channels = (*scoring.channels, *_extra(asked.protocol, scoring.channels))
    truth = TruthFields(store, channels)
    plan = evaluation_plan(library, asked, forecast)
    parents = {forecast.digest: "forecast", asked.truth.content: "truth"}
    details = {"model": plan.about.model, "data": asked.truth.dataset, "scale": plan.about.scale,
               "protocol": asked.protocol.id}  # fmt: skip
    with recorded(library.root, ledger, plan, conditions("cpu"), parents, details) as run:
        keep = Layout(library.root).cache / "evaluating" / plan.digest()
        tally = tallied(scoring, forecast, truth, baselines, quiet=asked.quiet, keep=keep)
        members = {MODEL: forecast.members, **{one.name: 1 for one in baselines}}
        table = rows_of(scoring, tally.states, members, forecast.leads)
        written = _written(run, asked, forecast, tally, table)
        forget_tally(keep)
        return written


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


def _extra(protocol: Protocol, channels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in mask_variables(protocol) if name not in channels)


def evaluation_plan(library: Library, asked: Evaluation, forecast: ForecastFields) -> EvaluatePlan:
    """The pinned intent: forecast, truth and protocol by their digests."""
    about = asked.sampled.about
    protocol = asked.protocol
    semantics = {"scores": SCORES_SEMANTICS}
    semantics |= {f"metric:{metric.id}": metric.semantics for metric in protocol.metrics}
    for name in asked.baselines:
        architecture = library.model(name).architecture.name
        semantics[f"baseline:{name}"] = ARCHITECTURES.find(architecture).semantics
    return EvaluatePlan(
        about=Provenance(model=about.model, scale=about.scale, protocol=protocol.id),
        semantics=FrozenDict(semantics),
        forecast=forecast.digest,
        truth=asked.truth,
        protocol=protocol.digest(),
        baselines=asked.baselines,
        leads=asked.sampled.leads,
    )


def tallied(
    scoring: Scoring,
    forecast: ForecastFields,
    truth: TruthFields,
    baselines: Sequence[BaselineForecasts] = (),
    inits: Sequence[int] | None = None,
    *,
    quiet: bool = True,
    keep: Path | None = None,
) -> Tally:
    """The states of some inits (their positions; all by default), one field at a time.

    With ``keep`` what is done is kept there from time to time, and taken up again.
    """
    kept = None if keep is None else kept_tally(keep)
    tally = kept or Tally(without_baseline={one.name: 0 for one in baselines})
    positions = range(len(forecast.inits)) if inits is None else inits
    since = time.monotonic()
    bar = Bar(f"evaluate {forecast.path.name}", len(positions), quiet=quiet)
    try:
        for done, position in enumerate(positions, start=1):
            if done > tally.done:
                _score_init(tally, scoring, forecast, truth, baselines, position)
                tally.done = done
            if keep is not None and time.monotonic() - since > _KEEP_SECONDS:
                keep_tally(keep, tally)
                since = time.monotonic()
            bar.at(done)
    finally:
        bar.close()
    if not tally.pairs:
        raise Incompatible(
            "REG-465",
            "no valid time of the forecast has a truth",
            where=str(forecast.path),
            hint=f"the first that is missing: {tally.missing[0]}" if tally.missing else None,
        )
    return tally


def _score_init(
    tally: Tally,
    scoring: Scoring,
    forecast: ForecastFields,
    truth: TruthFields,
    baselines: Sequence[BaselineForecasts],
    position: int,
) -> None:
    init = forecast.inits[position]
    made = {one.name: one.at(init) for one in baselines}
    lacking = [name for name, fields in made.items() if fields is None]
    for name in lacking:
        tally.without_baseline[name] += 1
    for number, lead in enumerate(forecast.leads):
        place = truth.place(init, lead)
        if place is None or lacking:
            tally.missing += [_moment(init + lead)] if place is None else []
            continue
        tally.pairs += 1

        def real(channel: str, place: int = place) -> Field:
            return truth.read(place, channel)

        def mine(channel: str, number: int = number) -> Field:
            return forecast.read(position, number, channel)

        sources = {MODEL: mine}
        for name, fields in made.items():
            assert fields is not None
            sources[name] = _planes(forecast.channels, fields[number])
        for source, read in sources.items():
            for statistic, name, state in scoring.states(read, real):
                tally.add(_key(scoring, source, statistic, name, init, lead), state)


def _planes(channels: tuple[str, ...], fields: Field) -> Any:
    return lambda channel: fields[channels.index(channel)][None]


def _key(
    scoring: Scoring, source: str, statistic: str, name: str, init: int, lead: int
) -> StateKey:
    bins, bootstrap = scoring.protocol.bins, scoring.protocol.bootstrap
    hour = hour_bin(init + lead) if "hour" in bins else ""
    season = season_bin(init + lead) if "season" in bins else ""
    block = bootstrap.block.seconds if bootstrap else _DAY
    return StateKey(source, statistic, name, lead, hour, season, init // block)


def _moment(seconds: int) -> str:
    return str(np.datetime64(seconds, "s").astype("datetime64[m]"))


def _written(
    run: Run, asked: Evaluation, forecast: ForecastFields, tally: Tally, table: Table
) -> Evaluated:
    document = {"run": run.id, **_about(run, asked, forecast, tally)}
    folder = Layout(run.layout.root).scores(run.id)
    write_scores(folder, document, table, tally.states)
    details = {"model": asked.sampled.about.model, "protocol": asked.protocol.id,
               "protocol_digest": asked.protocol.digest()}  # fmt: skip
    digest = run.seal(folder, "scores", {}, details)
    run.outcome |= {"scores": digest, "path": run.layout.relative(folder), "pairs": tally.pairs,
                    "missing": len(tally.missing)}  # fmt: skip
    return Evaluated(run.id, folder, {**document, **table_json(table)})


def _about(run: Run, asked: Evaluation, forecast: ForecastFields, tally: Tally) -> dict[str, Any]:
    """What stands beside the scores: who, on what, and what was left out."""
    protocol = asked.protocol
    valid = [init + lead for init in forecast.inits for lead in forecast.leads]
    left_out = [m.id for m in protocol.metrics if skipped(m, forecast.members)]
    notes = []
    if left_out:
        notes.append(f"one member: {', '.join(left_out)} left out, as they need an ensemble")
    return {
        "protocol": protocol.id,
        "protocol_digest": protocol.digest(),
        "meaning": json.loads(canonical_json(protocol.meaning())),
        "plan": run.plan.digest(),
        "model": asked.sampled.about.model,
        "forecast": {"path": _shown(run, asked.forecast), "digest": forecast.digest},
        "truth": asked.truth.dataset,
        "members": forecast.members,
        "leads": [lead_text(lead) for lead in forecast.leads],
        "inits": len(forecast.inits),
        "pairs": tally.pairs,
        "missing": tally.missing,
        "repeated_valid_times": len(valid) - len(set(valid)),
        "inits_without_baseline": tally.without_baseline,
        "notes": notes,
    }


def _shown(run: Run, path: Path) -> str:
    """A path within the workspace as the ledger writes it."""
    root = run.layout.root.resolve()
    resolved = path.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else path.name
