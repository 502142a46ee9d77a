"""``reg report``: the scores of a run as one page with tables and figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import write_text
from wxreg.library.loading import Library
from wxreg.report import curves, decisions, maps, probability, spectra
from wxreg.report.case import Drawing
from wxreg.report.pages import FIGURES, embedded, html_page, markdown_page
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.evaluating.opening import scoring_for
from wxreg.runs.scoring.files import ScoresFile, read_scores
from wxreg.runs.scoring.wanted import Scoring
from wxreg.runs.stores import ready_stores
from wxreg.specs.plan import EvaluatePlan, SamplePlan
from wxreg.specs.protocol import Protocol

_RELIABILITY = (
    "Grey bars hold 90 % of reliable forecasts, cells taken as independent; the dotted line is "
    "the observed frequency."
)


@dataclass(frozen=True)
class Report:
    """Where a report lies."""

    run: str
    html: Path
    markdown: Path
    figures: tuple[str, ...]


def write_report(library: Library, run: str) -> Report:
    """Draw everything that the scores of a run allow, and write both pages."""
    layout = Layout(library.root)
    scores = read_scores(layout.scores(run))
    plan = EvaluatePlan.model_validate_json(layout.plan_json(run).read_text(encoding="utf-8"))
    folder = library.root / "reports" / layout.scores(run).name
    shown = [embedded(*one) for one in figures(library, scores, plan)]
    html, markdown = folder / "report.html", folder / "report.md"
    write_text(html, html_page(scores, library.lexicon(), shown))
    write_text(markdown, markdown_page(scores, library.lexicon(), shown))
    (folder / FIGURES).mkdir(exist_ok=True)
    for one in shown:
        (folder / FIGURES / one.file).write_bytes(one.png)
    return Report(run, html, markdown, tuple(one.title for one in shown))


def figures(
    library: Library, scores: ScoresFile, plan: EvaluatePlan
) -> Iterator[tuple[str, str, Any]]:
    """``(title, caption, figure)`` of everything that can be drawn."""
    lexicon = library.lexicon()
    protocol = library.entry("protocol", str(scores.document["protocol"]), Protocol)
    (store,) = ready_stores(library, plan.truth)
    path = library.root / scores.document["forecast"]["path"]
    forecast = ForecastFields(path) if path.exists() else None
    if forecast is not None:
        scoring = scoring_for(library, protocol, plan.truth, forecast)
        yield from _maps(library, scoring, forecast, store, plan)
    drawn = [
        ("Error by lead time", "Bands are the bootstrap bounds; dashed lines are baselines.",
         curves.by_lead(scores, lexicon, "rmse")),
        ("Skill by lead time", "1 is perfect, 0 as good as the baseline, below 0 worse.",
         curves.skill_by_lead(scores, lexicon, "rmse")),
        ("CRPS by lead time", "The fair CRPS; of a baseline of one member its absolute error.",
         curves.by_lead(scores, lexicon, "crps")),
        ("Skill of the CRPS", "1 is perfect, 0 as good as the baseline, below 0 worse.",
         curves.skill_by_lead(scores, lexicon, "crps")),
        ("Spread and skill", "1 is calibrated; below 1 the members are too much alike.",
         curves.spread_and_error(scores)),
        ("CSI by lead time", "Counts are pooled over cases; dashed lines are baselines.",
         decisions.csi_by_lead(scores, lexicon)),
        ("Performance diagram", "Better forecasts lie towards the upper right.",
         curves.performance(scores, lexicon)),
    ]  # fmt: skip
    if forecast is not None:
        states = scores.states()
        drawn += [
            ("Reliability", _RELIABILITY,
             probability.reliability(states, scoring, lexicon)),
            ("Rank histogram", "Flat (the dashed line) is calibrated; a U has too little spread.",
             probability.ranks(states, scoring)),
            ("Error by spread", ("On the diagonal spread tells the error; areas are the shares "
             "of cells."), probability.error_by_spread(states, scoring, lexicon)),
            ("ROC curves", "Every natural probability of the ensemble is a point.",
             decisions.roc(states, scoring, lexicon)),
            ("Economic value", "Of acting at the best probability; 1 is perfect, 0 is climate.",
             decisions.value(states, scoring, lexicon)),
            ("FSS by scale", "All leads together; dashed lines are baselines.",
             decisions.fss_by_scale(scores, lexicon, scoring.domain.dx)),
            ("Power spectrum", "Below the truth at short wavelengths a forecast is too smooth.",
             spectra.spectra(states, scoring, lexicon, str(scores.document["model"]))),
        ]  # fmt: skip
    yield from ((title, text, figure) for title, text, figure in drawn if figure is not None)


def _maps(
    library: Library, scoring: Scoring, forecast: ForecastFields, store: Path, plan: EvaluatePlan
) -> Iterator[tuple[str, str, Any]]:
    """Of the first variable that has thresholds, else of the first."""
    channel = min(scoring.channels, key=lambda one: not scoring.thresholds(one))
    truth = TruthFields(store, (channel,))
    drawing = Drawing(
        forecast=forecast,
        truth=truth,
        channel=channel,
        variable=scoring.lexicon[channel.partition("@")[0]],
        thresholds=scoring.thresholds(channel),
        grid=plan.truth.grid,
        inputs=_inputs(library, forecast, channel),
    )
    case = drawing.case()
    if case is None:
        return
    drawn = [
        ("Input, truth and forecast", maps.triplet(case)),
        ("Truth and forecast by lead", maps.sequence(drawing.leads_of(case))),
        ("Ensemble mean and spread", maps.mean_and_spread(case)),
        ("Probability of exceedance", maps.exceedance(case)),
        ("Spaghetti", maps.spaghetti(case)),
        ("Paintball", maps.paintball(case)),
        ("Mean shaded by uncertainty", maps.shaded(case)),
    ]
    for title, figure in drawn:
        if figure is not None:
            yield title, f"{case.title}, {case.when}.", figure


def _inputs(library: Library, forecast: ForecastFields, channel: str) -> TruthFields | None:
    """What the model was given of a channel, where its plan is here and says so."""
    path = Layout(library.root).plan_json(str(forecast.claim.get("sampling_run")))
    if not path.is_file():
        return None
    given = SamplePlan.model_validate_json(path.read_text(encoding="utf-8")).inputs
    if channel not in given.channels:
        return None
    (store,) = ready_stores(library, given)
    return TruthFields(store, (channel,))
