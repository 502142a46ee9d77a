"""Does the chain of the log hold, and does it still have every event that a record names?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from wxreg.artifacts.layout import RECORD_SUFFIX, Layout
from wxreg.artifacts.sealing import read_seal
from wxreg.audit.inventory import Inventory
from wxreg.errors import IntegrityError
from wxreg.findings import Finding
from wxreg.ledger import queries
from wxreg.ledger.log import broken, parsed
from wxreg.ledger.records import Head
from wxreg.ledger.verify import verify


def log_findings(inventory: Inventory) -> Iterator[Finding]:
    """Quick: the links between events.  Full: every hash, and the tables against the events."""
    if inventory.full:
        yield from verify(inventory.ledger, _sealed_heads(inventory)).findings
        return
    for sequence in queries.unlinked(inventory.ledger):
        yield broken(sequence, f"it does not follow event {sequence - 1}")


def _sealed_heads(inventory: Inventory) -> Iterator[Head]:
    """The heads that sealed records remember of this ledger: a lost tail shows against them.

    What was imported or rebuilt was sealed under the log of another ledger.
    """
    restored = _restored_runs(inventory)
    known = {one.path for one in inventory.artifacts if one.run not in restored}
    layout = Layout(inventory.root)
    for record in layout.sealed_records():
        path = record.with_name(record.name.removesuffix(RECORD_SUFFIX))
        if layout.relative(path) not in known:
            continue
        try:
            yield Head(*read_seal(path).head)
        except IntegrityError:
            continue  # `check_bytes` names a damaged record


def _restored_runs(inventory: Inventory) -> frozenset[str]:
    found = set()
    for event in queries.events(inventory.ledger):
        with suppress(ValueError, KeyError, TypeError):  # `verify` names a damaged event
            body = parsed(event)
            if body["kind"] == "run-restored":
                found.add(body["data"]["run"]["id"])
    return frozenset(found)
