"""Do the stored plans still have the digests that they were run under?"""

from __future__ import annotations

from collections.abc import Iterator

from wxreg.artifacts.layout import Layout
from wxreg.audit.inventory import Inventory
from wxreg.audit.plans import KINDS, plan_fault, text_fault
from wxreg.findings import Finding

_REMEDY = "find out who edited it: the plan that was run cannot be told from this text"


def plan_findings(inventory: Inventory) -> Iterator[Finding]:
    """Full only: recompute the digest of each stored plan, in the ledger and beside the run."""
    if not inventory.full:
        return
    layout = Layout(inventory.root)
    for run in inventory.runs:
        fault = plan_fault(inventory.ledger, run)
        if fault:
            yield Finding("error", "REG-571", run.id, fault, _REMEDY)
        beside = layout.plan_json(run.id)
        if run.kind not in KINDS or run.plan is None or not beside.is_file():
            continue
        fault = text_fault(run.kind, beside.read_text(encoding="utf-8"), run.plan)
        if fault:
            yield Finding("error", "REG-571", layout.relative(beside), fault, _REMEDY)
