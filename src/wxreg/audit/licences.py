"""Whether what a model was made from allows what its own licence offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wxreg.audit.chain import stored_plan
from wxreg.ids import DataRef
from wxreg.ledger import lineage, queries
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.specs.licence import Licence


def licence_of(library: Library, ref: DataRef) -> Licence:
    """The licence of a dataset version: its own, or that of its dataset."""
    own = library.version(ref).licence if ref.version else None
    return own or library.description(ref.dataset).licence


def licence_conflicts(library: Library, ledger: Ledger, run: RunRecord) -> tuple[str, ...]:
    """Everything above a training that forbids commercial use while its model allows it."""
    offered = library.model(str(run.details["model"])).licence
    if not offered.commercial:
        return ()
    found: dict[str, None] = {}
    for training in (run, *_trainings_above(ledger, run)):
        found |= dict.fromkeys(_restrictions(library, ledger, training, run))
    return tuple(found)


def _trainings_above(ledger: Ledger, run: RunRecord) -> Iterator[RunRecord]:
    for edge in lineage.ancestors(ledger, run.id):
        for above in queries.runs(ledger, id=edge.parent):
            if above.kind == "train":
                yield above


def _restrictions(
    library: Library, ledger: Ledger, training: RunRecord, below: RunRecord
) -> Iterator[str]:
    plan = stored_plan(ledger, training)
    for name in _datasets(training, plan):
        data = licence_of(library, DataRef.parse(name))
        if not data.commercial:
            yield f"{name} is {data.id}, non-commercial"
    initial = plan.get("training", {}).get("initial") or {}
    words = str(initial.get("licence") or "")
    if "NC" in words.upper().split("-"):
        yield f"its initial weights are {words}, non-commercial"
    if training.id != below.id:
        model = str(training.details.get("model"))
        weights = library.model(model).licence
        if not weights.commercial:
            yield f"the weights of {model} that it continues are {weights.id}, non-commercial"


def _datasets(training: RunRecord, plan: Mapping[str, Any]) -> tuple[str, ...]:
    told = training.details.get("data")
    found = [told] if isinstance(told, str) else []
    for side in ("inputs", "targets"):
        if isinstance(plan.get(side), dict):
            found.append(str(plan[side]["dataset"]))
    return tuple(dict.fromkeys(found))
