"""What a forecast says of itself where no ledger knows it, and whether it agrees with itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wxreg.artifacts.digests import merkle_root
from wxreg.audit.answer import Answer, Difference
from wxreg.audit.chain import claimed_chain
from wxreg.audit.payload import Comparison, Payload, Reference, compare
from wxreg.audit.proof import concluded, seal_beside
from wxreg.audit.workplace import Workplace
from wxreg.data.forecast_index import FieldEntry, index_beside, read_index
from wxreg.data.forecast_layout import planes_of


def whence_claim(payload: Payload, here: Workplace, *, deep: bool) -> Answer:
    """What the file says of itself, and whether it agrees with itself."""
    notes = ["no ledger here knows this forecast: this is what the file says, not a proof"]
    own = _own_index(payload.path)
    merkle = payload.about.get("merkle")
    seal = seal_beside(payload.path)
    root = str(merkle) if merkle else (seal.sha256 if seal else "")
    reference = Reference(root, frozenset(), own or (), frozenset())
    comparison = compare(payload, reference)
    differences = list(comparison.differences) if own else _outline_differences(payload, root)
    if own is not None and root and merkle_root(entry.digest for entry in own) != root:
        what = "the payload index beside it does not have the Merkle root that the file claims"
        differences.append(Difference("index", what, index_beside(payload.path).name))
    if seal is not None and merkle and seal.sha256 != merkle:
        what = "the sealed record beside it has another digest than the file claims"
        differences.append(Difference("record", what, f"{payload.path.name}.reg.json"))
    if not payload.claim and not own:
        return concluded("unknown", _unknown(payload), {}, (), here, deep=deep)
    subject = {
        **forecast_subject(payload, comparison, "the claim of the file itself"),
        "sha256": root or None,
        "notes": notes,
    }
    chain = claimed_chain(payload.claim)
    return concluded("claimed", subject, chain, differences, here, deep=deep)


def _own_index(path: Path) -> tuple[FieldEntry, ...] | None:
    return tuple(read_index(path)) if index_beside(path).is_file() else None


def _outline_differences(payload: Payload, root: str) -> list[Difference]:
    """Without an index only a whole copy can be held against the root that it claims."""
    faults = [one for one in payload.prints if one.fault]
    if faults:
        reference = Reference("", frozenset(), (), frozenset(one.variable for one in faults))
        broken = compare(payload, reference).differences
        return [found for found in broken if "damaged" in found.what]
    outline = payload.about.get("outline")
    if not root or not isinstance(outline, dict) or not _is_whole(payload, outline):
        return []
    straight = merkle_root(one.digest for one in payload.prints if one.digest)
    if straight == root or merkle_root(payload.turned.values()) == root:
        return []
    what = "the fields together do not have the Merkle root that the file claims"
    return [Difference("bytes", what, payload.path.name)]


def _is_whole(payload: Payload, outline: Mapping[str, Any]) -> bool:
    try:
        starts = len(outline["inits"]) * len(outline["leads"]) * int(outline["members"])
        return len(payload.prints) == len(planes_of(outline)) * starts
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def forecast_subject(payload: Payload, comparison: Comparison, evidence: str) -> dict[str, Any]:
    """How an answer names a forecast."""
    return {
        "path": str(payload.path),
        "kind": "forecast",
        "model": payload.claim.get("model"),
        "evidence": evidence,
        "fields": {"read": comparison.read, "matched": comparison.matched},
        "rows_turned": comparison.turned,
        "foreign": list(comparison.foreign),
    }


def is_constant(payload: Payload) -> bool:
    """Whether all fields are constant: such fields prove nothing."""
    return all(one.constant for one in payload.prints)


def _unknown(payload: Payload) -> dict[str, Any]:
    notes = ["no known forecast holds these fields, and the file claims nothing"]
    if is_constant(payload):
        notes = ["all fields are constant: such fields prove nothing"]
    faults = [one for one in payload.prints if one.fault]
    if faults:
        what = f"{len(faults):,} of the {len(payload.prints):,} fields cannot be read"
        notes.append(f"{what}: {faults[0].variable}: {faults[0].fault}")
    notes.append("spatial crops, changed units and lossy repacking (GRIB, int16) are out of scope")
    return {
        "path": str(payload.path),
        "kind": "forecast",
        "fields": {"read": len(payload.prints) - len(faults), "matched": 0},
        "notes": notes,
    }
