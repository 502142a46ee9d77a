"""Every (model, dataset, lead): yes, or the reasons why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from wxreg.errors import RegError
from wxreg.ids import DataRef
from wxreg.leadtime import Duration
from wxreg.library.loading import Library
from wxreg.resolve.compatibility import refusals
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import matched


@dataclass(frozen=True)
class Cell:
    """One tuple and whether it resolves."""

    model: str
    dataset: str
    lead: Duration
    reasons: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons


def matrix(
    library: Library, models: tuple[str, ...], datasets: tuple[DataRef, ...], scale: str
) -> Iterator[Cell]:
    """The cells of the given models and dataset versions, at each model's allowed leads."""
    for name in models:
        if scale not in library.scales(name):
            continue
        for data in datasets:
            yield from _row(library, Request(name, data, scale=scale))


def _row(library: Library, request: Request) -> Iterator[Cell]:
    data = str(request.data)
    try:
        model = library.model(request.model, request.scale)
        task = "sample" if model.training.kind == "none" else request.task
        for lead in model.lead.allowed:
            match = matched(library, replace(request, leads=(lead,), task=task))
            leads_as_asked = () if model.lead.mode != "joint" else model.lead.trained
            match = replace(match, leads=leads_as_asked or match.leads)
            reasons = tuple(refusal.reason for refusal in refusals(match))
            yield Cell(request.model, data, lead, reasons)
    except RegError as error:
        yield Cell(request.model, data, Duration(0), (error.message,))
