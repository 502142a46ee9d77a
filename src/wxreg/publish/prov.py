"""W3C PROV-JSON: the chain of an artifact in the form that other provenance tools read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wxreg.artifacts.sealing import write_text
from wxreg.errors import Conflict
from wxreg.ledger.records import RunRecord
from wxreg.publish.provenance import Provenance, Thing


def write_prov(out: Path, chain: Provenance) -> None:
    """Write one PROV-JSON document."""
    if out.exists():
        raise Conflict("REG-600", "a file is there already", where=str(out), hint="name another")
    write_text(out, json.dumps(prov_json(chain), indent=1, sort_keys=True) + "\n")


def prov_json(chain: Provenance) -> dict[str, Any]:
    """Things are entities, runs are activities, wxreg is the software agent behind them."""
    return {
        "prefix": {"reg": "urn:wxreg:", "sha256": "urn:sha256:"},
        "entity": {_entity(one.digest): _described(one) for one in chain.things.values()},
        "activity": {f"reg:{run.id}": _activity(run) for run in chain.runs},
        "agent": {_agent(run): _software(run) for run in chain.runs},
        "used": _relations(
            "used",
            (
                {"prov:activity": f"reg:{edge.child}", "prov:entity": _entity(edge.parent),
                 "prov:role": edge.role}
                for edge in chain.used
            ),
        ),
        "wasGeneratedBy": _relations(
            "made",
            (
                {"prov:entity": _entity(edge.child), "prov:activity": f"reg:{edge.parent}"}
                for edge in chain.made
            ),
        ),
        "wasDerivedFrom": _relations(
            "derived",
            (
                {"prov:generatedEntity": _entity(edge.child),
                 "prov:usedEntity": _entity(edge.parent)}
                for edge in chain.derived
            ),
        ),
        "wasAssociatedWith": _relations("by", map(_association, chain.runs)),
    }  # fmt: skip


def _entity(digest: str) -> str:
    return f"sha256:{digest}"


def _described(thing: Thing) -> dict[str, Any]:
    kind = "prov:Plan" if thing.kind == "plan" else f"reg:{thing.kind}"
    found: dict[str, Any] = {"prov:type": _name(kind), "prov:label": thing.name}
    if thing.path:
        found["reg:path"] = thing.path
    if thing.bytes is not None:
        found["reg:bytes"] = thing.bytes
    return found


def _activity(run: RunRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "prov:type": _name(f"reg:{run.kind}"),
        "prov:startTime": run.began,
        "reg:state": run.state,
        "reg:host": run.owner.host,
    }
    if run.ended:
        found["prov:endTime"] = run.ended
    told = {"code": run.code, "environment": run.environment, "commit": run.details.get("commit")}
    found |= {f"reg:{name}": value for name, value in told.items() if value}
    return found


def _agent(run: RunRecord) -> str:
    return f"reg:wxreg-{run.details.get('version', 'unknown')}"


def _software(run: RunRecord) -> dict[str, Any]:
    return {
        "prov:type": _name("prov:SoftwareAgent"),
        "prov:label": f"wxreg {run.details.get('version', 'of an unrecorded version')}",
    }


def _association(run: RunRecord) -> dict[str, Any]:
    found = {"prov:activity": f"reg:{run.id}", "prov:agent": _agent(run)}
    return found | ({"prov:plan": _entity(run.plan)} if run.plan else {})


def _relations(word: str, found: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {f"_:{word}{number}": one for number, one in enumerate(found, start=1)}


def _name(value: str) -> dict[str, str]:
    return {"$": value, "type": "prov:QUALIFIED_NAME"}
