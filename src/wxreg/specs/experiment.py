"""A declared matrix of runs."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from wxreg.ids import EntryId
from wxreg.leadtime import LeadsField
from wxreg.specs.base import Entry, FrozenDict, freeze


class Experiment(Entry):
    """``registry/experiments/<id>.yaml``: every combination is one resolved request."""

    KIND: ClassVar[str] = "experiment"

    id: EntryId
    title: str
    question: str
    """What the experiment is to find out."""
    models: tuple[EntryId, ...]
    datasets: tuple[str, ...] = ()
    """Dataset versions; each model's own if none are named."""
    leads: LeadsField = ()
    seeds: tuple[int, ...] = (0,)
    scale: str = "mini"
    overrides: Annotated[dict[str, tuple[str, ...]], AfterValidator(freeze)] = FrozenDict()
    """``--set`` paths, each with the values it takes in turn."""
    protocol: EntryId | None = None
    hypothesis: str | None = None
