"""Provisional data behind published results, and licences that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from wxreg.audit.chain import stored_plan
from wxreg.audit.inventory import Inventory
from wxreg.audit.kept import published
from wxreg.audit.licences import licence_conflicts
from wxreg.errors import RegError
from wxreg.findings import Finding
from wxreg.ledger import lineage
from wxreg.ledger.records import RunRecord


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
    """A model whose licence allows commercial use, made from what does not."""
    seen: set[tuple[str, str]] = set()
    for run in inventory.runs:
        if run.kind == "train" and run.details.get("model"):
            for found in _conflict(inventory, run):
                if (found.where, found.what) not in seen:
                    seen.add((found.where, found.what))
                    yield found


def _conflict(inventory: Inventory, run: RunRecord) -> Iterator[Finding]:
    model = str(run.details["model"])
    try:
        offered = inventory.library.model(model).licence
        conflicts = licence_conflicts(inventory.library, inventory.ledger, run)
    except RegError as error:
        what = f"the licences of {model} and its data cannot be compared: {error.message}"
        yield Finding("info", "REG-370", run.id, what, "restore the entries from git")
        return
    for conflict in conflicts:
        remedy = f"give registry/models/{model}.yaml a non-commercial licence"
        yield Finding("error", "REG-471", model, f"it is offered under {offered.id}; {conflict}",
                      remedy)  # fmt: skip
