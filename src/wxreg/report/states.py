"""States of one evaluation, merged over leads and blocks and pooled over members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wxreg.runs.scoring.keys import StateKey
from wxreg.scores.states import State, merge_all

States = Mapping[StateKey, State]


def names_of(states: States, statistic: str) -> tuple[str, ...]:
    """The channels that a statistic was computed for."""
    return tuple(dict.fromkeys(key.name for key in states if key.statistic == statistic))


def sources_of(states: States) -> tuple[str, ...]:
    """The model first, then its baselines."""
    return tuple(sorted({key.source for key in states}, key=lambda name: (name != "model", name)))


def merged(
    states: States, source: str, statistic: str, name: str, atoms: Iterable[int] | None = None
) -> State:
    """Everything of one source; ``atoms`` pools the cells of a bin."""
    total = merge_all(
        state
        for key, state in states.items()
        if (key.source, key.statistic, key.name) == (source, statistic, name)
    )
    return total if atoms is None or not total.arrays else total.pool(atoms)
