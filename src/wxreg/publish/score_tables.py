"""Scores as the tables of a card and the results of a model index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wxreg.publish.evidence import Evaluation

_HEADLINE: Final = ("rmse", "crps", "mae", "csi")
"""The metrics of the card's tables; scores.json has all of them."""


@dataclass(frozen=True)
class ScoreTable:
    """One metric by variable and lead time."""

    metric: str
    leads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Scored:
    """What a card shows of one evaluation."""

    protocol: str
    digest: str
    run: str
    truth: str
    members: int
    pairs: int
    inits: int
    interval: str
    tables: tuple[ScoreTable, ...]
    skill: tuple[ScoreTable, ...]
    notes: tuple[str, ...]


def scored(evaluation: Evaluation, level: float | None) -> Scored:
    """The tables of one evaluation; ``level`` is the confidence level of its protocol."""
    body = evaluation.body
    rows = [row for row in body["scores"] if row["bin"] == "all" and row["lead"] is not None]
    own = [row for row in rows if row["baseline"] is None]
    baselines = sorted({row["baseline"] for row in rows if row["baseline"] is not None})
    skill = [
        _table(f"{metric} against {name}", body["leads"], found, "skill")
        for name in baselines
        for metric in ("rmse", "crps")
        if (found := [r for r in rows if r["baseline"] == name and r["metric"] == metric])
    ]
    return Scored(
        protocol=body["protocol"],
        digest=body["protocol_digest"],
        run=evaluation.run.id,
        truth=body["truth"],
        members=body["members"],
        pairs=body["pairs"],
        inits=body["inits"],
        interval=f"{level:.0%} " if level else "",
        tables=tuple(
            _table(metric, body["leads"], found, "value")
            for metric in _HEADLINE
            if (found := [row for row in own if row["metric"] == metric])
        ),
        skill=tuple(skill),
        notes=tuple(body.get("notes", ())),
    )


def results(evaluation: Evaluation) -> Iterator[Mapping[str, Any]]:
    """One entry of the model index for each headline score, variable and lead time."""
    body = evaluation.body
    for row in body["scores"]:
        plain = row["bin"] == "all" and row["lead"] is not None and row["baseline"] is None
        if plain and row["metric"] in _HEADLINE and row["value"] is not None:
            yield {
                "dataset": body["truth"],
                "protocol": body["protocol"],
                "protocol_digest": body["protocol_digest"],
                "metric": row["metric"],
                "name": f"{row['metric']} of {_label(row)} at {row['lead']}",
                "value": row["value"],
                "args": {key: row[key] for key in ("low", "high", "count", "members")},
            }


def _table(
    name: str, leads: Sequence[str], rows: Sequence[Mapping[str, Any]], key: str
) -> ScoreTable:
    shown = tuple(lead for lead in leads if any(row["lead"] == lead for row in rows))
    by_label: dict[str, dict[str, str]] = {}
    for row in rows:
        by_label.setdefault(_label(row), {})[row["lead"]] = _cell(row, key)
    lines = tuple(
        (label, tuple(cells.get(lead, "–") for lead in shown)) for label, cells in by_label.items()
    )
    return ScoreTable(name, shown, lines)


def _label(row: Mapping[str, Any]) -> str:
    level = f" at {row['level']:g} hPa" if row["level"] is not None else ""
    threshold = f" ≥ {row['threshold']:g}" if row["threshold"] is not None else ""
    scale = f", {row['scale']:g} cells" if row["scale"] is not None else ""
    return f"{row['variable']}{level}{threshold}{scale}"


def _cell(row: Mapping[str, Any], key: str) -> str:
    if row[key] is None:
        return "–"
    bounds = f" ({row['low']:.3g} to {row['high']:.3g})" if row["low"] is not None else ""
    return f"{row[key]:.4g}{bounds}"
