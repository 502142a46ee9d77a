"""The figures of a card: drawn from the verified scores, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from wxreg.artifacts.layout import Layout
from wxreg.library.loading import Library
from wxreg.publish.evidence import Evaluation, Evidence

FOLDER: Final = "figures"
"""Beside the card, in the workspace as on the Hub."""


@dataclass(frozen=True)
class CardFigure:
    """One picture of a card; ``path`` is relative to the card."""

    evaluation: str
    """The run whose scores it shows."""
    path: str
    title: str
    caption: str
    png: bytes


def card_figures(library: Library, evidence: Evidence) -> tuple[CardFigure, ...]:
    """Errors, skill, spread and detection by lead time of each evaluation, where it has them."""
    return tuple(
        figure for found in evidence.evaluations for figure in _figures(library, evidence, found)
    )


def _figures(library: Library, evidence: Evidence, found: Evaluation) -> Iterator[CardFigure]:
    from wxreg.report.pages import embedded

    for name, title, caption, drawn in _drawn(library, found):
        if drawn is not None:
            path = f"{FOLDER}/{evidence.model}-{found.body['protocol']}-{name}.png"
            yield CardFigure(
                found.run.id, path, title, caption, embedded(title, caption, drawn).png
            )


def _drawn(library: Library, found: Evaluation) -> Iterator[tuple[str, str, str, Any]]:
    from wxreg.report import curves
    from wxreg.runs.scoring.files import read_scores

    scores = read_scores(Layout(library.root).scores(found.run.id))
    lexicon = library.lexicon()
    bands = "Bands or bars are the confidence intervals; dashed lines are the baselines."
    better = "Above zero it beats the baseline, below zero it does not."
    yield "rmse", "Error by lead time", bands, curves.by_lead(scores, lexicon, "rmse")
    yield "skill", "Skill by lead time", better, curves.skill_by_lead(scores, lexicon, "rmse")
    yield "crps", "CRPS by lead time", bands, curves.by_lead(scores, lexicon, "crps")
    one = "Spread over error: one is calibrated; below it the members are too much alike."
    yield "spread", "Spread and error", one, curves.spread_and_error(scores)
    towards = "Better forecasts lie towards the upper right."
    yield "detection", "Performance diagram", towards, curves.performance(scores, lexicon)
