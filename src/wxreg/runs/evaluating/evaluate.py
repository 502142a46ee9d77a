"""``reg evaluate``: a forecast, its truth and a protocol become one sealed set of scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from wxreg.artifacts.layout import Layout
from wxreg.canonical import canonical_json
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.runs.environment import conditions
from wxreg.runs.evaluating.asked import Evaluation
from wxreg.runs.evaluating.baselines import StoredBaseline
from wxreg.runs.evaluating.cluster import Job, on_cluster
from wxreg.runs.evaluating.fields import ForecastFields
from wxreg.runs.evaluating.kept import KeptParts
from wxreg.runs.evaluating.opening import members_of
from wxreg.runs.evaluating.plan import evaluation_plan, opened
from wxreg.runs.evaluating.tally import Tally
from wxreg.runs.evaluating.tallying import tallied
from wxreg.runs.locking import plan_lock
from wxreg.runs.recording import Run, recorded
from wxreg.runs.scoring.files import table_json, write_scores
from wxreg.runs.scoring.rows import POINT_FORMS, Table, lead_text, rows_of
from wxreg.runs.scoring.series import skipped


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation left."""

    run: str
    folder: Path
    document: Mapping[str, Any]
    """As ``reg evaluate --json`` prints it."""


def evaluate(library: Library, ledger: Ledger, asked: Evaluation) -> Evaluated:
    """Score a forecast and its baselines on the same fields, and record it."""
    streams = opened(library, asked)
    forecast = streams.forecast
    plan = evaluation_plan(library, asked, streams)
    parents = {forecast.digest: "forecast", asked.truth.content: "truth"}
    stored = (one for one in streams.baselines if isinstance(one, StoredBaseline))
    parents |= {one.digest: "baseline" for one in stored}
    details = {"model": plan.about.model, "data": asked.truth.dataset, "scale": plan.about.scale,
               "protocol": asked.protocol.id}  # fmt: skip
    with (
        plan_lock(library.root, plan.digest(), wait=True),
        recorded(library.root, ledger, plan, conditions("cpu"), parents, details) as run,
    ):
        keep = Layout(library.root).cache / "evaluating" / plan.digest()
        workers = None
        if asked.scheduler is not None:
            job = Job(library.root.resolve(), asked.absolute(), plan.digest())
            workers = partial(on_cluster, asked.scheduler, job)
        tally = tallied(streams, quiet=asked.quiet, keep=keep, workers=workers)
        members = members_of(streams)
        table = rows_of(streams.scoring, tally.states, members, forecast.leads)
        written = _written(run, asked, forecast, tally, table)
        KeptParts(keep).forget()
        return written


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
    fair = [m.id for m in protocol.metrics if m.id in POINT_FORMS]
    if fair and forecast.members > 1:
        forms = ", ".join(f"{POINT_FORMS[name]} for {name}" for name in fair)
        notes.append(f"baselines of one member are scored by {forms}")
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
        "truth_days": tally.truth_days,
        "missing": tally.missing,
        "repeated_valid_times": len(valid) - len(set(valid)),
        "inits_without_baseline": tally.without_baseline,
        "without_climatology": tally.without_climatology,
        "notes": notes,
    }


def _shown(run: Run, path: Path) -> str:
    """A path within the workspace as the ledger writes it."""
    root = run.layout.root.resolve()
    resolved = path.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else path.name
