"""Whence a forecast: found by its fields, whatever its names, attributes and storage became."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wxreg.artifacts.digests import merkle_root
from wxreg.audit.answer import Answer, Difference, Status
from wxreg.audit.candidates import Candidate, candidates, rivals
from wxreg.audit.chain import ledger_chain
from wxreg.audit.payload import Payload, read_payload
from wxreg.audit.proof import claim_differences, concluded, seal_beside
from wxreg.audit.whence_claim import forecast_subject, is_constant, whence_claim
from wxreg.audit.workplace import Workplace
from wxreg.canonical import short
from wxreg.data.forecast_index import index_beside, read_index
from wxreg.errors import IntegrityError
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger


def whence_forecast(path: Path, here: Workplace, *, deep: bool) -> Answer:
    """Prove by the ledger which forecast these fields are of, or say what the file claims."""
    payload = read_payload(path)
    if here.ledger is not None:
        found = candidates(payload, here.ledger, here.root)
        if found:
            return _proved(payload, found, here, here.ledger, deep=deep)
    return whence_claim(payload, here, deep=deep)


def _proved(
    payload: Payload, found: list[Candidate], here: Workplace, ledger: Ledger, *, deep: bool
) -> Answer:
    best = found[0]
    others = rivals(payload, found)
    chain = ledger_chain(ledger, best.sha256, "forecast", _preferred(payload, here, best.sha256))
    differences = [
        *best.comparison.differences,
        *claim_differences(
            payload.claim, chain, merkle=(payload.about.get("merkle"), best.reference.root)
        ),
        *_beside(payload.path, best.sha256, best.reference.root),
    ]
    status: Status = "verified"
    if others and (not best.comparison.whole or _mixed(best)):
        status = "ambiguous"
        if _mixed(best) and not payload.claim:
            differences = []
    elif is_constant(payload):
        status = "claimed" if payload.claim else "ambiguous"
    subject = {
        **forecast_subject(payload, best.comparison, _evidence(best)),
        "sha256": best.sha256,
        "candidates": [best.sha256, *others] if others else [],
        "notes": list(best.notes),
    }
    return concluded(status, subject, chain, differences, here, deep=deep)


def _preferred(payload: Payload, here: Workplace, sha256: str) -> Mapping[str, Any]:
    """Which of several runs that made the same bytes is meant: this place's, or the claimed."""
    place = here.relative(payload.path)
    if here.ledger is not None and place is not None:
        for record in queries.artifacts_at(here.ledger, place):
            if record.sha256 == sha256 and record.run:
                return {**payload.claim, "sampling_run": record.run}
    return payload.claim


def _mixed(best: Candidate) -> bool:
    return bool(best.comparison.unmatched)


def _evidence(best: Candidate) -> str:
    if best.comparison.whole:
        return "the Merkle root of all fields"
    if best.reference.entries is not None:
        return "the full digest of each field"
    return "64 bits of the digest of each field"


def _beside(path: Path, sha256: str, merkle: str) -> list[Difference]:
    """What lies beside the file itself and contradicts the ledger."""
    found = []
    seal = seal_beside(path)
    if seal is not None and seal.sha256 != sha256:
        what = f"the record beside it says {short(seal.sha256)}, the ledger {short(sha256)}"
        found.append(Difference("record", what, f"{path.name}.reg.json"))
    if index_beside(path).is_file():
        try:
            same = merkle_root(entry.digest for entry in read_index(path)) == merkle
        except (IntegrityError, ValueError):
            same = False
        if not same:
            what = "the payload index beside it is not the one that was sealed"
            found.append(Difference("index", what, index_beside(path).name))
    return found
