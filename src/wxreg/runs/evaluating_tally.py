"""What an evaluation has so far, kept so that one that was killed goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from wxreg.runs.scoring_files import read_states, write_states
from wxreg.runs.scoring_keys import StateKey
from wxreg.scores.states import State

_COUNTS, _STATES = "tally.json", "state.zarr"


@dataclass
class Tally:
    """States so far, and the times that could not be scored."""

    states: dict[StateKey, State] = field(default_factory=dict)
    done: int = 0
    """How many inits have been gone through."""
    pairs: int = 0
    missing: list[str] = field(default_factory=list)
    """Valid times without truth."""
    without_baseline: dict[str, int] = field(default_factory=dict)
    without_climatology: list[str] = field(default_factory=list)
    """Valid times left out as the climatology or the input that a metric needs is missing."""
    truth_days: int = 0
    """Days of the truth, where times are not paired."""

    def add(self, key: StateKey, state: State) -> None:
        """Merge one state in."""
        self.states[key] = self.states.get(key, State()).merge(state)


def keep_tally(place: Path, tally: Tally) -> None:
    """Keep what is done; a kill in between leaves the one before, or none."""
    aside = place.with_name(f".{place.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    write_states(aside / _STATES, tally.states)
    counts = {name: getattr(tally, name) for name in Tally.__dataclass_fields__ if name != "states"}
    (aside / _COUNTS).write_text(json.dumps(counts), encoding="utf-8")
    forget_tally(place)
    aside.rename(place)


def kept_tally(place: Path) -> Tally | None:
    """What was kept; none where nothing was."""
    counts = place / _COUNTS
    if not counts.is_file():
        return None
    return Tally(read_states(place / _STATES), **json.loads(counts.read_text(encoding="utf-8")))


def forget_tally(place: Path) -> None:
    """Remove what was kept."""
    if place.exists():
        shutil.rmtree(place)
