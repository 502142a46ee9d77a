"""Which training of a model is meant where nobody names one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from wxreg.errors import NotFound
from wxreg.ledger import queries
from wxreg.ledger.records import RunRecord
from wxreg.ledger.store import Ledger


@dataclass(frozen=True)
class Choice:
    """A finished training, and on what ground it was taken."""

    run: RunRecord
    ground: Literal["named", "only", "published", "newest"]
    others: tuple[str, ...] = ()
    """Trainings of the model with other weights."""


def choose_training(ledger: Ledger, model: str, named: str | None = None) -> Choice:
    """The training that is named; else the only one; else the last published; else the newest."""
    finished = _finished(ledger, model)
    if named is not None:
        queries.run(ledger, named)
        finished = tuple(run for run in finished if run.id == named)
    if not finished:
        what = f"{named} is no finished training of {model}" if named else (
            f"{model} has no finished training, and a card says only what a run has shown"
        )  # fmt: skip
        raise NotFound("REG-360", what, hint=f"`reg train {model}` makes one")
    newest = finished[0]
    if len({run.outcome["checkpoint"] for run in finished}) == 1:
        return Choice(newest, "named" if named else "only")
    published = _last_published(ledger, model, finished)
    chosen = published or newest
    others = tuple(
        run.id for run in finished if run.outcome["checkpoint"] != chosen.outcome["checkpoint"]
    )
    return Choice(chosen, "published" if published else "newest", others)


def _finished(ledger: Ledger, model: str) -> tuple[RunRecord, ...]:
    return tuple(
        run
        for run in queries.runs(ledger, kind="train", state="finished")
        if run.details.get("model") == model and run.outcome.get("checkpoint")
    )


def _last_published(ledger: Ledger, model: str, finished: Iterable[RunRecord]) -> RunRecord | None:
    trainings = {str(run.outcome["checkpoint"]): run for run in reversed(tuple(finished))}
    for release in queries.runs(ledger, kind="publish", state="finished"):
        if release.details.get("model") == model:
            for sha256 in queries.run_json(ledger, release.id)["inputs"]:
                if sha256 in trainings:
                    return trainings[sha256]
    return None
