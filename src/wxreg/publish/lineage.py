"""``lineage.json``: what a published checkpoint was made from, in digests."""

from __future__ import annotations

from typing import Any

from wxreg.canonical import digest
from wxreg.publish.evidence import Evidence


def lineage(evidence: Evidence) -> dict[str, Any]:
    """Checkpoint → run → plan → data and statistics → code; nothing here depends on the clock."""
    run, plan = evidence.run, evidence.plan
    return {
        "format": 1,
        "model": evidence.model,
        "scale": plan.about.scale,
        "checkpoint": {"sha256": evidence.sha256},
        "training_run": {"id": run.id, "began": run.began, "ended": run.ended},
        "plan": plan.digest(),
        "data": {
            side: {"version": store.dataset, "content": store.content}
            for side, store in (("inputs", plan.inputs), ("targets", plan.targets))
        },
        "statistics": {
            side: {"name": plan.about.statistics.get(side), "digest": store.statistics}
            for side, store in (("inputs", plan.inputs), ("targets", plan.targets))
            if store.statistics
        },
        "code": {"digest": run.code, "commit": run.details.get("commit")},
        "environment": run.environment,
        "evaluations": [
            {
                "run": found.run.id,
                "protocol_digest": found.body["protocol_digest"],
                "forecast": found.body["forecast"]["digest"],
                "scores": found.digest,
            }
            for found in evidence.evaluations
        ],
        "ledger_head": {"sequence": evidence.head.sequence, "hash": evidence.head.hash},
    }


def lineage_digest(body: dict[str, Any]) -> str:
    """The identity of a lineage; the head of the log grows with other work and is left out."""
    return digest("lineage", {key: value for key, value in body.items() if key != "ledger_head"})
