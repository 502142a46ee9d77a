"""What every kind of subject shares: the ancestors' checks and the status they lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wxreg.artifacts.sealing import Seal, read_seal
from wxreg.audit.ancestors import check_ancestors
from wxreg.audit.answer import Answer, Difference, Status
from wxreg.audit.chain import mapping
from wxreg.audit.workplace import Workplace
from wxreg.canonical import short
from wxreg.errors import NotFound


def concluded(
    status: Status,
    subject: Mapping[str, Any],
    chain: Mapping[str, Any],
    differences: Iterable[Difference],
    here: Workplace,
    *,
    deep: bool,
) -> Answer:
    """The answer, with every reachable ancestor checked; any difference means tampered."""
    checked = () if here.root is None else check_ancestors(here.root, here.ledger, chain, deep=deep)
    damaged = [found for check in checked if (found := check.difference)]
    every = (*differences, *damaged)
    notes = [*subject.get("notes", ())]
    if any(check.how == "size and time" for check in checked):
        notes.append("some ancestors were checked by size and time only; --deep reads every byte")
    told = {**subject, "checked": [check.as_json() for check in checked], "notes": notes}
    return Answer("tampered" if every else status, told, chain, every)


def seal_beside(path: Path) -> Seal | None:
    """The sealed record beside a path, if there is one."""
    try:
        return read_seal(path)
    except NotFound:
        return None


def claim_differences(
    claim: Mapping[str, Any], chain: Mapping[str, Any], *, merkle: tuple[Any, str] | None = None
) -> Iterator[Difference]:
    """Where a claim contradicts what the ledger knows."""
    plan = chain.get("plan") or {}
    known = {
        "checkpoint": (chain.get("checkpoint") or {}).get("sha256"),
        "training_run": (chain.get("training_run") or {}).get("id"),
        "sampling_run": (chain.get("sampling_run") or {}).get("id"),
        "plan": plan.get("sampling"),
        "seed": (chain.get("sampling_run") or {}).get("seed"),
    }
    for key, recorded in known.items():
        told = claim.get(key)
        if told is not None and recorded is not None and told != recorded:
            yield _claimed(key, told, recorded)
    if merkle and merkle[0] is not None and merkle[0] != merkle[1]:
        yield _claimed("merkle", *merkle)
    yield from _claimed_versions(claim, chain)


def _claimed_versions(claim: Mapping[str, Any], chain: Mapping[str, Any]) -> Iterator[Difference]:
    """Data and statistics that the claim names and the chain does not have."""
    contents = {entry["content"] for entry in chain.get("data") or ()}
    digests = {entry["digest"] for entry in chain.get("statistics") or ()}
    for side, store in mapping(claim, "data").items():
        told = store.get("content") if isinstance(store, dict) else None
        if contents and told not in contents:
            yield _claimed(f"data.{side}", told, ", ".join(sorted(contents)))
    for side, told in mapping(claim, "statistics").items():
        if digests and told not in digests:
            yield _claimed(f"statistics.{side}", told, ", ".join(sorted(digests)))


def _claimed(key: str, told: Any, recorded: Any) -> Difference:
    shown = (short(str(told)) if len(str(told)) == 64 else told for told in (told, recorded))
    return Difference("claim", "the file claims {}, the ledger has {}".format(*shown), key)
