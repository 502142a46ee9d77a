"""Evaluations of a workspace side by side; unlike protocols are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wxreg.artifacts.layout import Layout
from wxreg.errors import Incompatible
from wxreg.runs.scoring.files import DOCUMENT, ScoresFile, read_scores


def listed(
    root: Path, model: str | None = None, protocol: str | None = None
) -> list[dict[str, Any]]:
    """Every evaluation, newest last."""
    found = []
    for path in sorted((root / "scores").glob(f"*/{DOCUMENT}")):
        document = read_scores(path.parent).document
        if model not in (None, document["model"]) or protocol not in (None, document["protocol"]):
            continue
        found.append(
            {
                "run": document["run"], "model": document["model"],
                "protocol": document["protocol"],
                "protocol_digest": document["protocol_digest"][:12],
                "members": document["members"], "pairs": document["pairs"],
            }
        )  # fmt: skip
    return found


def compared(root: Path, runs: Sequence[str]) -> list[dict[str, Any]]:
    """The models' own rows of several evaluations of one protocol, each with its run."""
    layout = Layout(root)
    scores = [read_scores(layout.scores(run)) for run in runs]
    for other in scores[1:]:
        require_alike(scores[0], other)
    return [
        {"run": one.document["run"], "model": one.document["model"], **asdict(row)}
        for one in scores
        for row in one.rows
        if row.baseline is None
    ]


def require_alike(first: ScoresFile, second: ScoresFile) -> None:
    """Refuse to compare scores whose protocols differ in meaning, and name the difference."""
    one, two = first.document, second.document
    if one["protocol_digest"] == two["protocol_digest"]:
        return
    changes = "\n".join(f"  {line}" for line in differences(one["meaning"], two["meaning"]))
    raise Incompatible(
        "REG-466",
        f"{one['run']} and {two['run']} were scored by unlike protocols:\n{changes}",
        hint="evaluate both forecasts with one --protocol",
    )


def differences(one: Any, two: Any, path: str = "") -> list[str]:
    """Where two plain values differ, one line each."""
    if isinstance(one, dict) and isinstance(two, dict):
        keys = sorted({*one, *two})
        return [
            line
            for key in keys
            for line in differences(one.get(key), two.get(key), f"{path}.{key}".lstrip("."))
        ]
    return [] if one == two else [f"{path}: {one} | {two}"]
