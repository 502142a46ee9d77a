"""What an evaluation has so far: its states, what was counted, and both as plain arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.runs.scoring.keys import StateKey
from wxreg.scores.states import State

Arrays = dict[str, NDArray[Any]]
_ABOUT: Final = "about"


@dataclass
class Tally:
    """States so far, and the times that could not be scored."""

    states: dict[StateKey, State] = field(default_factory=dict)
    done: int = 0
    """How many parts have been merged in."""
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

    def merge(self, part: Tally) -> None:
        """Merge in the next part of the evaluation."""
        for key, state in part.states.items():
            self.add(key, state)
        self.done += 1
        self.pairs += part.pairs
        self.truth_days += part.truth_days
        self.missing += part.missing
        self.without_climatology += part.without_climatology
        for name, count in part.without_baseline.items():
            self.without_baseline[name] = self.without_baseline.get(name, 0) + count


def to_arrays(tally: Tally) -> Arrays:
    """As arrays that can be sent and kept without pickle; states of equal layout share theirs."""
    layouts: dict[object, list[StateKey]] = {}
    for key, state in tally.states.items():
        layouts.setdefault((state.layout, state.maxima), []).append(key)
    counts = {name: getattr(tally, name) for name in Tally.__dataclass_fields__ if name != "states"}
    groups: list[Mapping[str, Any]] = []
    arrays: Arrays = {}
    for number, keys in enumerate(layouts.values()):
        first = tally.states[keys[0]]
        groups.append({"keys": [key.text() for key in keys], "maxima": sorted(first.maxima),
                       "names": list(first.arrays)})  # fmt: skip
        for name in first.arrays:
            stacked = np.stack([tally.states[key][name] for key in keys])
            arrays[f"{number}/{name}"] = np.ascontiguousarray(stacked)
    about = json.dumps({"counts": counts, "groups": groups})
    return {**arrays, _ABOUT: np.frombuffer(about.encode(), np.uint8)}


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Tally:
    """What :func:`to_arrays` gave."""
    about = json.loads(arrays[_ABOUT].tobytes())
    tally = Tally(**about["counts"])
    for number, group in enumerate(about["groups"]):
        for row, key in enumerate(group["keys"]):
            values = {name: arrays[f"{number}/{name}"][row] for name in group["names"]}
            tally.states[StateKey.parse(key)] = State(values, frozenset(group["maxima"]))
    return tally
