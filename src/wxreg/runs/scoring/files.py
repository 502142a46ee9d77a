"""The files of a set of scores: a tidy table, a JSON document and the states."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wxreg.artifacts.sealing import writing_folder
from wxreg.errors import IntegrityError, NotFound
from wxreg.runs.scoring.keys import StateKey
from wxreg.runs.scoring.rows import ScoreRow, Table
from wxreg.scores.states import State, load_states, merge_all, save_states

TABLE, DOCUMENT, STATES = "scores.parquet", "scores.json", "state.zarr"


@dataclass(frozen=True)
class ScoresFile:
    """One evaluation as it was written."""

    folder: Path
    document: Mapping[str, Any]

    @property
    def rows(self) -> tuple[ScoreRow, ...]:
        """The rows of the model and its skill against each baseline."""
        return tuple(ScoreRow(**row) for row in self.document["scores"])

    def baselines(self) -> dict[str, tuple[ScoreRow, ...]]:
        """The rows of each baseline itself."""
        found = self.document["baselines"]
        return {name: tuple(ScoreRow(**row) for row in rows) for name, rows in found.items()}

    def states(self) -> dict[StateKey, State]:
        """The states that the rows were read off."""
        return read_states(self.folder / STATES)


def write_scores(
    folder: Path, document: Mapping[str, Any], table: Table, states: Mapping[StateKey, State]
) -> None:
    """Write everything beside each other; the folder appears when it is whole."""
    import pandas as pd

    with writing_folder(folder) as aside:
        text = json.dumps({**document, **table_json(table)}, indent=1, ensure_ascii=False)
        (aside / DOCUMENT).write_text(text + "\n", encoding="utf-8")
        columns = list(ScoreRow.__dataclass_fields__)
        pd.DataFrame([asdict(row) for row in table.scores], columns=columns).to_parquet(
            aside / TABLE
        )
        write_states(aside / STATES, states)


def table_json(table: Table) -> dict[str, Any]:
    """The rows as JSON."""
    return {
        "scores": [asdict(row) for row in table.scores],
        "comparisons": [asdict(row) for row in table.comparisons],
        "baselines": {
            name: [asdict(row) for row in rows] for name, rows in table.baselines.items()
        },
    }


def read_scores(folder: Path) -> ScoresFile:
    """The scores of a run."""
    path = folder / DOCUMENT
    if not path.is_file():
        raise NotFound("REG-301", "there are no scores here", where=str(folder))
    try:
        return ScoresFile(folder, json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise IntegrityError(
            "REG-536", f"these scores are damaged: {error}", where=str(path)
        ) from error


def write_states(path: Path, states: Mapping[StateKey, State]) -> None:
    """Keep states so that they can be merged later."""
    save_states(path, {key.text(): state for key, state in states.items()})


def read_states(path: Path) -> dict[StateKey, State]:
    """What :func:`write_states` kept."""
    return {StateKey.parse(text): state for text, state in load_states(path).items()}


def merged_states(parts: Iterable[Mapping[StateKey, State]]) -> dict[StateKey, State]:
    """The states of several parts as if scored at once."""
    found: dict[StateKey, list[State]] = {}
    for part in parts:
        for key, state in part.items():
            found.setdefault(key, []).append(state)
    return {key: merge_all(states) for key, states in found.items()}
