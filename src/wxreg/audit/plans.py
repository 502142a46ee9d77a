"""Whether stored plans still have their digests."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from wxreg.canonical import short
from wxreg.errors import RegError
from wxreg.ledger import queries
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger
from wxreg.specs.plan import EvaluatePlan, Plan, SamplePlan, TrainPlan

KINDS: Final[dict[str, type[Plan]]] = {
    plan.KIND: plan for plan in (TrainPlan, SamplePlan, EvaluatePlan)
}


def plan_fault(ledger: Ledger, run: RunRecord) -> str | None:
    """What is wrong with the stored plan of a run; None when it has the digest it had."""
    if run.plan is None or run.kind not in KINDS:
        return None
    if "plan" not in run.documents:
        return "the ledger keeps no text of the plan"
    try:
        return text_fault(run.kind, queries.document(ledger, run.documents["plan"]), run.plan)
    except RegError as error:
        return error.message


def text_fault(kind: str, text: str, digest: str) -> str | None:
    """What is wrong with the text of a plan that should have that digest."""
    try:
        found = KINDS[kind].model_validate_json(text).digest()
    except ValidationError as error:
        return f"the plan does not parse: {error.errors()[0]['msg']}"
    if found != digest:
        return f"the plan has the digest {short(found)}, and {short(digest)} was recorded"
    return None
