"""What stands behind an artifact: from the ledger, or from what a file claims."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wxreg.ledger import lineage, queries
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger


@dataclass(frozen=True)
class Lineage:
    """Every edge above one artifact, as parents by child."""

    parents: Mapping[str, Mapping[str, str]]
    """Child → parent → role."""

    @classmethod
    def of(cls, ledger: Ledger, node: str) -> Lineage:
        """Read it from the ledger."""
        found: dict[str, dict[str, str]] = {}
        for edge in lineage.ancestors(ledger, node):
            found.setdefault(edge.child, {})[edge.parent] = edge.role
        return cls(found)

    def makers(self, sha256: str) -> tuple[str, ...]:
        """The runs that made those bytes."""
        return tuple(p for p, role in self.parents.get(sha256, {}).items() if role == "output")

    def sources(self, node: str, word: str) -> tuple[str, ...]:
        """The parents of a node whose role has that word."""
        return tuple(p for p, role in self.parents.get(node, {}).items() if word in role.split())


def ledger_chain(
    ledger: Ledger, sha256: str, kind: str, prefer: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole chain of an artifact.

    Where several runs made the same bytes, ``prefer`` (a claim) says which is meant.
    """
    known = Lineage.of(ledger, sha256)
    origin = _origin(known, sha256, kind)
    sampling = training = None
    checkpoint = sha256 if kind == "checkpoint" else None
    if kind == "checkpoint":
        training = _chosen(ledger, known.makers(sha256), prefer.get("training_run"))
    else:
        sampling = _chosen(ledger, known.makers(origin), prefer.get("sampling_run"))
    if sampling is not None:
        checkpoint = next(iter(known.sources(sampling.id, "checkpoint")), None)
    if checkpoint is None:  # a card names its checkpoint without a run between
        checkpoint = next(iter(known.sources(origin, "checkpoint")), None)
    if checkpoint is not None and training is None:
        training = _chosen(ledger, known.makers(checkpoint), prefer.get("training_run"))
    chain = _described(ledger, checkpoint, training, sampling)
    teachers = known.sources(training.id, "teacher") if training is not None else ()
    if teachers:
        chain["training_run"]["teachers"] = sorted(teachers)
    return chain


def _origin(known: Lineage, sha256: str, kind: str) -> str:
    """The forecast behind an export or a score table; else the artifact itself."""
    seen = [sha256]
    for node in seen:
        parents = known.parents.get(node, {})
        for parent, role in parents.items():
            if "forecast" in role.split() or role == "exported":
                return parent
            if role == "output" and kind not in ("forecast", "checkpoint"):
                seen.append(parent)
    return sha256


def _chosen(ledger: Ledger, runs: tuple[str, ...], preferred: Any) -> RunRecord | None:
    if not runs:
        return None
    return queries.run(ledger, preferred if preferred in runs else min(runs))


def _described(
    ledger: Ledger, checkpoint: str | None, training: RunRecord | None, sampling: RunRecord | None
) -> dict[str, Any]:
    runs = {"training": training, "sampling": sampling}
    there = {name: run for name, run in runs.items() if run is not None}
    plans = {name: stored_plan(ledger, run) for name, run in there.items()}
    return {
        "checkpoint": {"sha256": checkpoint} if checkpoint else None,
        "training_run": _run(training),
        "sampling_run": _run(sampling, plans.get("sampling")),
        "plan": {name: run.plan for name, run in there.items()} or None,
        "data": _data(plans.values()),
        "statistics": _statistics(plans.values()),
        "code": {
            name: {
                "commit": run.details.get("commit"),
                "digest": run.code,
                "patch": run.documents.get("patch"),
            }
            for name, run in there.items()
        }
        or None,
        "environment": {
            name: {"digest": run.environment, "installed": run.documents.get("installed")}
            for name, run in there.items()
        }
        or None,
    }


def stored_plan(ledger: Ledger, run: RunRecord) -> Mapping[str, Any]:
    """The plan of a run as the ledger keeps it; empty where it keeps none that can be read."""
    if "plan" not in run.documents:
        return {}
    try:
        found = json.loads(queries.document(ledger, run.documents["plan"]))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _run(run: RunRecord | None, plan: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    if run is None:
        return None
    found: dict[str, Any] = {
        "id": run.id,
        "state": run.state,
        "began": run.began,
        "ended": run.ended,
        "host": run.owner.host,
        "hardware": run.details.get("hardware"),
        "conditions": run.details.get("conditions"),
        "version": run.details.get("version"),
    }
    if plan:
        found["seed"] = plan.get("seed", 0)
        found["members"] = plan.get("sampling", {}).get("members")
        found["leads"] = plan.get("leads")
    return found


def _sides(plans: Any) -> Any:
    for plan in plans:
        names = plan.get("about", {}).get("statistics", {})
        for side in ("inputs", "targets", "truth"):
            if isinstance(plan.get(side), dict):
                yield side, plan[side], names.get(side)


def _data(plans: Any) -> list[dict[str, Any]]:
    """Each dataset version once, with the sides that it stood on."""
    found: dict[str, dict[str, Any]] = {}
    for side, store, _ in _sides(plans):
        entry = {"dataset": store.get("dataset"), "content": store.get("content"), "sides": []}
        known = found.setdefault(str(store.get("content")), entry)
        known["sides"] = sorted({*known["sides"], side})
    return list(found.values())


def _statistics(plans: Any) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for side, store, name in _sides(plans):
        if store.get("statistics"):
            entry = {"digest": store["statistics"], "name": name, "sides": []}
            known = found.setdefault(store["statistics"], entry)
            known["sides"] = sorted({*known["sides"], side})
    return list(found.values())


def plan_chain(plan: Mapping[str, Any], digest: Any) -> dict[str, Any]:
    """What the plan inside a checkpoint claims."""
    return {
        "plan": {"training": digest},
        "data": _data([plan]),
        "statistics": _statistics([plan]),
    }


def mapping(claim: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """One part of a claim; empty where the file has something else there."""
    found = claim.get(key)
    return found if isinstance(found, dict) else {}


def claimed_chain(claim: Mapping[str, Any]) -> dict[str, Any]:
    """The same shape from what a forecast claims; what it does not say is None."""
    data, statistics = mapping(claim, "data"), mapping(claim, "statistics")
    plans = [
        {
            side: {**(store if isinstance(store, dict) else {}), "statistics": statistics.get(side)}
            for side, store in data.items()
        }
    ]
    checkpoint, training = claim.get("checkpoint"), claim.get("training_run")
    run = {"id": claim.get("sampling_run"), "seed": claim.get("seed")}
    return {
        "checkpoint": {"sha256": checkpoint} if checkpoint else None,
        "training_run": {"id": training} if training else None,
        "sampling_run": {**run, "members": claim.get("members")} if run["id"] else None,
        "plan": {"sampling": claim["plan"]} if claim.get("plan") else None,
        "data": _data(plans),
        "statistics": _statistics(plans),
    }
