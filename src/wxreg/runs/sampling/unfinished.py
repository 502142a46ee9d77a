"""Forecasts whose writing was interrupted: the same plan goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zarr

from wxreg.data.forecast_files import CLAIM, read_claim
from wxreg.data.forecast_index import journal_beside
from wxreg.errors import IntegrityError, NotFound


def is_unfinished(path: Path, plan: str) -> bool:
    """Whether a forecast of that plan was being written here."""
    try:
        about = read_claim(path)
    except (IntegrityError, NotFound):  # no forecast of ours
        return False
    return about.get("state") == "writing" and about.get("claim", {}).get("plan") == plan


def take_over(path: Path, forecasts: Path, claim: Mapping[str, Any]) -> None:
    """Let an interrupted forecast of the same claim become this run's, at ``path``.

    Whoever calls holds the plan, so that nobody else is writing it.
    """
    plan = str(claim["plan"])
    if not path.exists():
        found = [one for one in sorted(forecasts.glob("*.zarr")) if is_unfinished(one, plan)]
        found = [one for one in found if _same(read_claim(one)["claim"], claim)]
        if not found:
            return
        journal = journal_beside(found[0])
        if journal.exists():
            journal.rename(journal_beside(path))
        found[0].rename(path)
    about = read_claim(path)
    if about.get("state") == "writing" and _same(about["claim"], claim):
        zarr.open_group(path, mode="r+").attrs[CLAIM] = {**about, "claim": dict(claim)}


def _same(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Equal claims, whichever run makes them."""
    return {**one, "sampling_run": None} == {**two, "sampling_run": None}
