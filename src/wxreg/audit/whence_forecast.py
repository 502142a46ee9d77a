"""Whence a forecast: found by its fields, whatever its names, attributes and storage became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxreg.artifacts.digests import merkle_root, prefix64
from wxreg.audit.answer import Answer, Difference, Status
from wxreg.audit.chain import claimed_chain, ledger_chain
from wxreg.audit.payload import Comparison, Payload, Reference, compare, read_payload
from wxreg.audit.proof import claim_differences, concluded, seal_beside
from wxreg.audit.workplace import Workplace
from wxreg.canonical import short
from wxreg.data.forecast_files import FieldEntry, index_beside, read_index
from wxreg.errors import IntegrityError
from wxreg.ledger import lineage, queries
from wxreg.ledger.store import Ledger

_COMPARED = 8
"""So many of the best candidates are compared field by field."""


@dataclass(frozen=True)
class Candidate:
    """A forecast of the ledger that holds some of the fields."""

    sha256: str
    reference: Reference
    comparison: Comparison
    notes: tuple[str, ...] = ()


def whence_forecast(path: Path, here: Workplace, *, deep: bool) -> Answer:
    """Prove by the ledger which forecast these fields are of, or say what the file claims."""
    payload = read_payload(path)
    if here.ledger is not None:
        found = _candidates(payload, here.ledger, here.root)
        if found:
            return _proved(payload, found, here, here.ledger, deep=deep)
    return _claimed(payload, here, deep=deep)


def _candidates(payload: Payload, ledger: Ledger, root: Path | None) -> list[Candidate]:
    """The forecasts of the ledger that come into question, best match first."""
    names = [holder.sha256 for holder in _holders(payload, ledger)[:_COMPARED]]
    names += [sha256 for sha256 in _named(payload, ledger) if sha256 not in names]
    found = [one for name in names if (one := _candidate(payload, name, ledger, root))]
    named = _named(payload, ledger)
    return sorted(
        found,
        key=lambda one: (
            -one.comparison.matched,
            not one.comparison.whole,
            one.sha256 not in named,
        ),
    )


def _holders(payload: Payload, ledger: Ledger) -> tuple[Any, ...]:
    prefixes = payload.prefixes
    found = lineage.forecasts_holding(ledger, prefixes)
    if not prefixes or any(holder.matched == found.asked for holder in found.holders):
        return found.holders
    turned = lineage.forecasts_holding(ledger, (*prefixes, *payload.turned_prefixes))
    return turned.holders


def _named(payload: Payload, ledger: Ledger) -> tuple[str, ...]:
    """The forecasts that the file itself names: by its root, its run, or its place."""
    root, run = payload.about.get("merkle"), payload.claim.get("sampling_run")
    found = [root] if isinstance(root, str) and queries.artifacts_of(ledger, root) else []
    if isinstance(run, str):
        found += [one.sha256 for one in queries.artifacts(ledger, run=run, kind="forecast")]
    return tuple(dict.fromkeys(found))


def _candidate(
    payload: Payload, sha256: str, ledger: Ledger, root: Path | None
) -> Candidate | None:
    digests = [one.digest for one in payload.prints if one.digest]
    prefixes = {prefix64(digest) for digest in digests}
    held = lineage.payload_held(ledger, sha256, prefixes)
    if held is not None and len(held.held) < len(prefixes):
        prefixes |= {prefix64(digest) for digest in payload.turned.values()}
        held = lineage.payload_held(ledger, sha256, prefixes)
    if held is None:
        return None
    entries, notes = _original_index(sha256, held.root, ledger, root)
    variables = frozenset(entry.variable for entry in entries or ())
    reference = Reference(held.root, held.held, entries, variables or _outlined(payload))
    return Candidate(sha256, reference, compare(payload, reference), notes)


def _outlined(payload: Payload) -> frozenset[str]:
    outline = payload.about.get("outline")
    channels = outline.get("channels", ()) if isinstance(outline, dict) else ()
    return frozenset(str(channel).partition("@")[0] for channel in channels)


def _original_index(
    sha256: str, merkle: str, ledger: Ledger, root: Path | None
) -> tuple[tuple[FieldEntry, ...] | None, tuple[str, ...]]:
    """The full index beside the original, if it is here and has the sealed Merkle root."""
    notes: list[str] = []
    for record in queries.artifacts_of(ledger, sha256):
        place = None if root is None else root / record.path
        if place is None or not index_beside(place).is_file():
            continue
        try:
            entries = tuple(read_index(place))
            if merkle_root(entry.digest for entry in entries) == merkle:
                return entries, ()
        except (IntegrityError, ValueError):
            pass
        notes.append(f"the payload index beside {record.path} is damaged; the ledger's was used")
    return None, tuple(notes)


def _proved(
    payload: Payload, found: list[Candidate], here: Workplace, ledger: Ledger, *, deep: bool
) -> Answer:
    best = found[0]
    rivals = _rivals(payload, found)
    chain = ledger_chain(ledger, best.sha256, "forecast", _preferred(payload, here, best.sha256))
    differences = [
        *best.comparison.differences,
        *claim_differences(
            payload.claim, chain, merkle=(payload.about.get("merkle"), best.reference.root)
        ),
        *_beside(payload.path, best.sha256, best.reference.root),
    ]
    status: Status = "verified"
    if rivals and (not best.comparison.whole or _mixed(best)):
        status = "ambiguous"
        if _mixed(best) and not payload.claim:
            differences = []
    elif _constant(payload):
        status = "claimed" if payload.claim else "ambiguous"
    subject = {
        **_subject(payload, best.comparison, _evidence(best)),
        "sha256": best.sha256,
        "candidates": [best.sha256, *rivals] if rivals else [],
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


def _rivals(payload: Payload, found: list[Candidate]) -> list[str]:
    """Other forecasts that hold as many of the fields, or the fields that the best one lacks."""
    best = found[0].comparison
    equal = [
        one.sha256 for one in found[1:] if one.comparison.matched == best.matched and best.matched
    ]
    if best.unmatched and not payload.claim:
        missing = {one.digest for one in best.unmatched if not one.constant}
        others = {
            one.sha256 for one in found[1:] for digest in missing if one.reference.holds(digest)
        }
        held = {digest for digest in missing for one in found[1:] if one.reference.holds(digest)}
        if held == missing:
            equal += sorted(others - set(equal))
    return equal


def _mixed(best: Candidate) -> bool:
    return bool(best.comparison.unmatched)


def _constant(payload: Payload) -> bool:
    return all(one.constant for one in payload.prints)


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


def _claimed(payload: Payload, here: Workplace, *, deep: bool) -> Answer:
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
        **_subject(payload, comparison, "the claim of the file itself"),
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
        lengths = [len(outline[name]) for name in ("channels", "inits", "leads")]
        return len(payload.prints) == int(outline["members"]) * lengths[0] * lengths[1] * lengths[2]
    except (KeyError, TypeError, ValueError):
        return False


def _subject(payload: Payload, comparison: Comparison, evidence: str) -> dict[str, Any]:
    return {
        "path": str(payload.path),
        "kind": "forecast",
        "model": payload.claim.get("model"),
        "evidence": evidence,
        "fields": {"read": comparison.read, "matched": comparison.matched},
        "rows_turned": comparison.turned,
        "foreign": list(comparison.foreign),
    }


def _unknown(payload: Payload) -> dict[str, Any]:
    notes = ["no known forecast holds these fields, and the file claims nothing"]
    if _constant(payload):
        notes = ["all fields are constant: such fields prove nothing"]
    notes.append("spatial crops, changed units and lossy repacking (GRIB, int16) are out of scope")
    return {
        "path": str(payload.path),
        "kind": "forecast",
        "fields": {"read": len(payload.prints), "matched": 0},
        "notes": notes,
    }
