"""``reg reproduce``: run a plan again under the recorded conditions, and compare the bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from wxreg.artifacts.checkpoint_file import RawTensor, read_checkpoint, weights_digest
from wxreg.artifacts.layout import Layout
from wxreg.data.forecast_files import open_forecast, read_index
from wxreg.data.windows import Start
from wxreg.errors import Incompatible, NotFound
from wxreg.ledger import queries
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.runs.environment import Conditions, conditions
from wxreg.runs.finding import checkpoint_of_digest
from wxreg.runs.sampling import SampleOptions, sample
from wxreg.runs.sampling_weights import load_weights_of
from wxreg.runs.threads import use_threads
from wxreg.runs.training import TrainOptions, train
from wxreg.specs.plan import SamplePlan, TrainPlan

Verdict = Literal["identical", "within tolerance", "different"]
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Reproduction:
    """What running a plan again gave."""

    verdict: Verdict
    difference: dict[str, Any] | None
    """The first part that differs, and by how much; none if nothing does."""
    then: Mapping[str, Any]
    now: Mapping[str, Any]
    run: str


def reproduce(
    library: Library, ledger: Ledger, run_id: str, *, quiet: bool = False
) -> Reproduction:
    """Run the plan of a finished run again with its threads, devices and member batch."""
    record = queries.run(ledger, run_id)
    if record.state != "finished":
        raise Incompatible(
            "REG-464", f"{run_id} is {record.state}; only a finished run has a result"
        )
    then = dict(record.details.get("conditions", {}))
    use_threads(then.get("threads"))
    text = ledger_plan(ledger, record)
    if record.kind == "train":
        training = TrainPlan.model_validate_json(text)
        return _train_again(library, ledger, record, training, then, quiet)
    if record.kind == "sample":
        sampling = SamplePlan.model_validate_json(text)
        return _sample_again(library, ledger, record, sampling, then, quiet)
    raise Incompatible(
        "REG-464", f"{run_id} is of kind {record.kind}; train and sample runs can be reproduced"
    )


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
    options = TrainOptions(
        again=True,
        devices=int(then.get("world", 1)),
        accelerator=str(then.get("device", "auto")),
        quiet=quiet,
    )
    trained = train(library, ledger, plan, options)
    name = trained.checkpoint.stem
    old = Layout(library.root).checkpoint(record.id, name)
    found = compare_checkpoints(old, trained.checkpoint)
    now = conditions(options.accelerator, options.devices, deterministic=plan.deterministic)
    return _reproduction(found, then, now, trained.run)


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
    found: dict[str, Any] | None, then: Mapping[str, Any], now: Conditions, run: str
) -> Reproduction:
    near = found is not None and found.get("relative", np.inf) <= _TOLERANCE
    verdict: Verdict = "identical" if found is None else "within tolerance" if near else "different"
    return Reproduction(verdict, found, then, now.as_json(), run)


def compare_checkpoints(one: Path, two: Path) -> dict[str, Any] | None:
    """The first layer whose bits differ, with the largest difference; none if all are equal."""
    if not one.is_file():
        raise NotFound("REG-301", "the checkpoint of the first run is gone", where=str(one))
    old, new = read_checkpoint(one).tensors, read_checkpoint(two).tensors
    if weights_digest(old) == weights_digest(new):
        return None
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            return {"layer": name, "why": "only one of the two has it"}
        if old[name].shape != new[name].shape:
            return {"layer": name, "why": f"{old[name].shape} against {new[name].shape}"}
        if old[name].data != new[name].data:
            return {"layer": name, **_size(old[name], new[name])}
    return None


def _size(old: RawTensor, new: RawTensor) -> dict[str, float]:
    one, two = old.numpy().astype(np.float64), new.numpy().astype(np.float64)
    largest = float(np.abs(one - two).max())
    return {"largest": largest, "relative": largest / max(float(np.abs(one).max()), 1e-30)}


def compare_forecasts(one: Path, two: Path) -> dict[str, Any] | None:
    """The first field whose digest differs, with the largest difference; none if all agree."""
    old = {entry.place(): entry for entry in read_index(one)}
    new = {entry.place(): entry for entry in read_index(two)}
    for place in sorted(old.keys() | new.keys()):
        if place not in old or place not in new:
            return {"field": list(place), "why": "only one of the two has it"}
        if old[place].digest != new[place].digest:
            return {"field": list(place), **_field_size(one, two, place[0])}
    return None


def _field_size(one: Path, two: Path, variable: str) -> dict[str, float]:
    a, b = open_forecast(one)[variable], open_forecast(two)[variable]
    largest = float(np.abs(a.astype("f8") - b.astype("f8")).max())
    return {"largest": largest, "relative": largest / max(float(a.std()), 1e-30)}
