"""The hash chain: how an event is written, and what a broken chain looks like.  Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from wxreg.canonical import canonical_json
from wxreg.errors import UsageError
from wxreg.findings import Finding
from wxreg.ledger.records import Event, Head

FORMAT: Final = 1
CLOCK_TOLERANCE: Final = timedelta(minutes=1)
"""Hosts that share a ledger differ by this much before it is worth a word."""


def next_event(head: Head, kind: str, at: str, data: Mapping[str, Any]) -> Event:
    """The event that follows ``head``."""
    sequence = head.sequence + 1
    body = {
        "format": FORMAT,
        "sequence": sequence,
        "prev": head.hash,
        "kind": kind,
        "at": at,
        "data": data,
    }
    try:
        written = canonical_json(body).decode()
    except ValueError as error:
        raise UsageError(
            "REG-221",
            f"the ledger cannot write this {kind} event: {error}",
            hint="say what a value that is not a number means, as text",
        ) from error
    return Event(sequence, head.hash, event_hash(written), written)


def event_hash(body: str) -> str:
    """The SHA-256 of an event's text; damaged text (surrogates) hashes as its raw bytes."""
    return hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()


def parsed(event: Event) -> dict[str, Any]:
    """The body of an event as values; ``ValueError`` where damage made it unreadable."""
    body = json.loads(event.body)
    if not isinstance(body, dict):
        raise ValueError("an event is an object")
    return body


def chain_faults(events: Iterable[Event]) -> Iterator[Finding]:
    """Every place where the chain does not hold, each named by its sequence number."""
    head = Head()
    for event in events:
        for what in _faults_of(event, head):
            yield broken(event.sequence, what)
        head = Head(event.sequence, event_hash(event.body))


def clock_faults(events: Iterable[Event]) -> Iterator[Finding]:
    """Every event that says it happened well before the one it follows."""
    latest: datetime | None = None
    for event in events:
        try:
            at = datetime.fromisoformat(parsed(event)["at"])
            early = latest is not None and at < latest - CLOCK_TOLERANCE
        except (ValueError, KeyError, TypeError):
            continue
        if early:
            what = f"it is dated {at.isoformat()}, before the event that it follows"
            remedy = "the clock was set back: judge the order by the sequence, not by the times"
            yield Finding("warning", "REG-524", f"event {event.sequence}", what, remedy)
        latest = at


def broken(sequence: int, what: str) -> Finding:
    """The finding for a fault of the log itself."""
    return Finding(
        "error",
        "REG-520",
        f"event {sequence}",
        what,
        "restore the ledger from a copy, or `reg log rebuild` from the sealed records",
    )


def _faults_of(event: Event, head: Head) -> Iterator[str]:
    if event.sequence != head.sequence + 1:
        yield f"events between {head.sequence} and {event.sequence} are missing"
    if event_hash(event.body) != event.hash:
        yield "the text does not have the recorded hash"
    try:
        body = parsed(event)
    except ValueError:
        yield "the text is not JSON"
        return
    if body.get("sequence") != event.sequence or body.get("prev") != event.prev:
        yield "the sequence number or previous hash beside the text differs from the text"
    if event.prev != head.hash:
        yield f"it does not follow event {head.sequence}"
