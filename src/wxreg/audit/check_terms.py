"""Provisional data behind published results, and licences that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from wxreg.audit.chain import stored_plan
from wxreg.audit.inventory import Inventory
from wxreg.audit.kept import published
from wxreg.errors import RegError
from wxreg.findings import Finding
from wxreg.ids import DataRef
from wxreg.ledger import lineage
from wxreg.ledger.records import RunRecord
from wxreg.specs.dataset import Licence


def terms_findings(inventory: Inventory) -> Iterator[Finding]:
    """What may not be relied on, and what may not be given away."""
    yield from _provisional(inventory)
    yield from _licences(inventory)


def _provisional(inventory: Inventory) -> Iterator[Finding]:
    runs = {run.id: run for run in inventory.runs}
    for sha256 in sorted(published(inventory.runs, inventory.artifacts, inventory.edges)):
        for edge in lineage.ancestors(inventory.ledger, sha256):
            run = runs.get(edge.child)
            plan = stored_plan(inventory.ledger, run) if run else {}
            periods = plan.get("about", {}).get("provisional", ())
            if periods:
                what = f"it was published, and its run used provisional data: {', '.join(periods)}"
                remedy = "repeat the run with the final data, or say so on the card"
                yield Finding("warning", "REG-470", edge.child, what, remedy)


def _licences(inventory: Inventory) -> Iterator[Finding]:
    """A model whose licence allows commercial use, trained on data whose licence does not."""
    seen: set[tuple[str, str]] = set()
    for run in inventory.runs:
        pair = (str(run.details.get("model")), str(run.details.get("data")))
        if run.kind == "train" and pair not in seen:
            seen.add(pair)
            yield from _conflict(inventory, run)


def _conflict(inventory: Inventory, run: RunRecord) -> Iterator[Finding]:
    model, data = str(run.details.get("model")), str(run.details.get("data"))
    try:
        allowed = inventory.library.model(model).licence
        ancestor = _licence_of(inventory, DataRef.parse(data))
    except RegError as error:
        what = f"the licences of {model} and {data} cannot be compared: {error.message}"
        yield Finding("info", "REG-370", run.id, what, "restore both entries from git")
        return
    if allowed.commercial and not ancestor.commercial:
        what = f"{model} is offered under {allowed.id}; {data} is {ancestor.id}, non-commercial"
        remedy = f"give registry/models/{model}.yaml a non-commercial licence"
        yield Finding("error", "REG-471", model, what, remedy)


def _licence_of(inventory: Inventory, ref: DataRef) -> Licence:
    own = inventory.library.version(ref).licence if ref.version else None
    return own or inventory.library.description(ref.dataset).licence
