"""The forecasts of a ledger that may hold the fields of a file, best match first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wxreg.artifacts.digests import merkle_root, prefix64
from wxreg.audit.payload import Comparison, Payload, Reference, compare
from wxreg.data.forecast_index import FieldEntry, index_beside, read_index
from wxreg.data.forecast_layout import planes_of
from wxreg.errors import IntegrityError
from wxreg.ledger import lineage, queries
from wxreg.ledger.records import Holder
from wxreg.ledger.store import Ledger

_COMPARED: Final = 8
"""So many of the best candidates are compared field by field."""


@dataclass(frozen=True)
class Candidate:
    """A forecast of the ledger that holds some of the fields."""

    sha256: str
    reference: Reference
    comparison: Comparison
    notes: tuple[str, ...] = ()


def candidates(payload: Payload, ledger: Ledger, root: Path | None) -> list[Candidate]:
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


def _holders(payload: Payload, ledger: Ledger) -> tuple[Holder, ...]:
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
    planes = planes_of(outline) if isinstance(outline, dict) else ()
    return frozenset(plane.partition("@")[0] for plane in planes)


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


def rivals(payload: Payload, found: list[Candidate]) -> list[str]:
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
