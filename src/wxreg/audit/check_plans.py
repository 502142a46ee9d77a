"""Do the stored plans still have the digests that they were run under?"""

from __future__ import annotations

import json
from collections.abc import Iterator

from wxreg.artifacts.layout import Layout
from wxreg.audit.chain import stored_plan
from wxreg.audit.inventory import Inventory
from wxreg.audit.plans import KINDS, plan_fault, text_fault
from wxreg.canonical import short
from wxreg.errors import RegError
from wxreg.findings import Finding
from wxreg.ids import DataRef
from wxreg.ledger.records import RunRecord
from wxreg.resolve.difference import differences
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import Draft, resolve

_REMEDY = "find out who edited it: the plan that was run cannot be told from this text"


def plan_findings(inventory: Inventory) -> Iterator[Finding]:
    """Full only: recompute the digest of each stored plan, in the ledger and beside the run."""
    if not inventory.full:
        return
    yield from _resolved_today(inventory)
    yield from _unread(inventory)
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


def _unread(inventory: Inventory) -> Iterator[Finding]:
    """Every forecast has its checkpoint, and every checkpoint its data, as the plans name them."""
    read: dict[str, set[str]] = {}
    for edge in inventory.edges:
        read.setdefault(edge.child, set()).add(edge.parent)
    for run in inventory.runs:
        if run.kind not in ("train", "sample"):
            continue
        plan = stored_plan(inventory.ledger, run)
        named = {"checkpoint": plan.get("checkpoint")}
        named |= {
            side: plan[side].get("content")
            for side in ("inputs", "targets")
            if run.kind == "train" and isinstance(plan.get(side), dict)
        }
        for what, digest in named.items():
            if digest and digest not in read.get(run.id, set()):
                told = f"its plan names the {what} {short(str(digest))}, which it did not read"
                yield Finding("error", "REG-570", run.id, told, _REMEDY)


def _resolved_today(inventory: Inventory) -> Iterator[Finding]:
    """Whether the newest training of each model is what its files would give today.

    It need not be: the stored plan is what was run, and it still has its digest.
    """
    seen: set[tuple[object, ...]] = set()
    for run in inventory.runs:
        about = tuple(run.details.get(name) for name in ("model", "scale", "data"))
        if run.kind != "train" or run.state != "finished" or None in about or about in seen:
            continue
        seen.add(about)
        found = _other_plan(inventory, run)
        if found:
            what = f"today's files resolve to another plan than it had: {found}"
            remedy = "nothing is wrong with the run: it stands for its stored plan"
            yield Finding("info", "REG-373", run.id, what, remedy)


def _other_plan(inventory: Inventory, run: RunRecord) -> str | None:
    stored = stored_plan(inventory.ledger, run)
    request = Request(
        model=str(run.details["model"]),
        data=DataRef.parse(str(run.details["data"])),
        scale=str(run.details["scale"]),
        seed=int(stored.get("seed", 0)),
    )
    try:
        found = resolve(inventory.library, request)
    except RegError as error:
        return error.message
    if isinstance(found, Draft):
        return "they give a draft"
    if found.plan.digest() == run.plan:
        return None
    then = KINDS["train"].model_validate_json(json.dumps(stored))
    return str(differences(then.body(), found.plan.body())[0])
