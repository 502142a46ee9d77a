"""``reg reproduce``: run a plan again under the recorded conditions, and compare the bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal

from wxreg.artifacts.layout import Layout
from wxreg.data.forecast_index import read_index
from wxreg.data.windows import Start
from wxreg.errors import NotFound
from wxreg.ledger import queries
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.runs.comparing import Difference, compare_checkpoints, compare_forecasts
from wxreg.runs.environment import Conditions, conditions
from wxreg.runs.finding import checkpoint_of_digest, chosen_checkpoint, reproducible_run
from wxreg.runs.sampling.sample import SampleOptions, sample
from wxreg.runs.sampling.weights import load_weights_of
from wxreg.runs.threads import use_threads
from wxreg.runs.training.train import TrainOptions, train
from wxreg.specs.plan import SamplePlan, TrainPlan

Verdict = Literal["identical", "within tolerance", "different"]
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Reproduction:
    """What running a plan again gave."""

    verdict: Verdict
    difference: Difference | None
    """The first part that differs and the largest difference of all; none if nothing does."""
    then: Mapping[str, Any]
    now: Mapping[str, Any]
    run: str


def reproduce(
    library: Library, ledger: Ledger, run_id: str, *, quiet: bool = False
) -> Reproduction:
    """Run the plan of a finished run again with its threads, devices and member batch."""
    record = reproducible_run(ledger, run_id)
    then = dict(record.details.get("conditions", {}))
    use_threads(then.get("threads"))
    text = ledger_plan(ledger, record)
    if record.kind == "train":
        training = TrainPlan.model_validate_json(text)
        return _train_again(library, ledger, record, training, then, quiet)
    sampling = SamplePlan.model_validate_json(text)
    return _sample_again(library, ledger, record, sampling, then, quiet)


def ledger_plan(ledger: Ledger, record: RunRecord) -> str:
    """The stored text of a run's plan."""
    return queries.document(ledger, record.documents["plan"])


def _train_again(
    library: Library,
    ledger: Ledger,
    record: RunRecord,
    plan: TrainPlan,
    then: Mapping[str, Any],
    quiet: bool,
) -> Reproduction:
    old = recorded_checkpoint(library, record)
    options = TrainOptions(
        again=True,
        devices=int(then.get("world", 1)),
        accelerator=str(then.get("device", "auto")),
        quiet=quiet,
    )
    trained = train(library, ledger, plan, options)
    found = compare_checkpoints(old, trained.checkpoint)
    now = conditions(options.accelerator, options.devices, deterministic=plan.deterministic)
    return _reproduction(found, then, now, trained.run)


def recorded_checkpoint(library: Library, record: RunRecord) -> Path:
    """The checkpoint of a finished training; its loss is told before anything is trained."""
    path = Layout(library.root).checkpoint(record.id, chosen_checkpoint(record))
    if not path.is_file():
        raise NotFound(
            "REG-301",
            f"the checkpoint of {record.id} is gone, so there is nothing to compare with",
            where=str(path),
            hint="`dvc pull` restores a kept one; `reg train --again` makes another",
        )
    return path


def _sample_again(
    library: Library,
    ledger: Ledger,
    record: RunRecord,
    plan: SamplePlan,
    then: Mapping[str, Any],
    quiet: bool,
) -> Reproduction:
    checkpoint = checkpoint_of_digest(library, ledger, plan.checkpoint) if plan.checkpoint else None
    members = tuple(checkpoint_of_digest(library, ledger, one) for one in plan.ensemble)
    weights = load_weights_of(library, plan, checkpoint, None, members)
    options = SampleOptions(accelerator=str(then.get("device", "auto")), quiet=quiet)
    old = Path(str(record.outcome["path"]))
    starts = tuple(sorted({Start(entry.init, entry.segment) for entry in read_index(old)}))
    made = sample(library, ledger, plan, weights, options, starts)
    size = plan.sampling.member_batch
    now = conditions(options.accelerator, member_batch=size, deterministic=True)
    return _reproduction(compare_forecasts(old, made.forecast), then, now, made.run)


def _reproduction(
    found: Difference | None, then: Mapping[str, Any], now: Conditions, run: str
) -> Reproduction:
    near = found is not None and found.get("relative", inf) <= _TOLERANCE
    verdict: Verdict = "identical" if found is None else "within tolerance" if near else "different"
    return Reproduction(verdict, found, then, now.as_json(), run)
