"""What a preparation is to do, and the digest that tells its store from any other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wxreg.canonical import digest
from wxreg.data import derived
from wxreg.data.gaps import GapPolicy
from wxreg.data.masking import RangeMask
from wxreg.data.reading import ReadRequest, reader_semantics
from wxreg.data.target import Target
from wxreg.leadtime import Duration
from wxreg.specs.architecture import PREPARE_SEMANTICS


@dataclass(frozen=True)
class PreparePlan:
    """What to prepare, how, and where to."""

    request: ReadRequest
    output: Path
    variables: tuple[str, ...] = ()
    """The variables of the store, derived ones included; empty for all that is read."""
    source_digest: str | None = None
    """The content digest of the version; none for a source that has no version."""
    gaps: GapPolicy = "mark"
    target: Target = field(default_factory=Target)
    masks: tuple[RangeMask, ...] = ()
    """Which values that are read become missing, before anything is derived from them."""
    every: Duration | None = None
    """Keep the times that are whole multiples of this since midnight; none for all."""

    def identity(self) -> str:
        """The digest of everything that determines the values; no path unless it must stand in."""
        request = self.request
        names = sorted({entry.id for entry in request.entries} | set(self.variables))
        body = {
            "source": self.source_digest or request.location,
            "layout": request.layout,
            "reader": reader_semantics(request.layout),
            "prepare": PREPARE_SEMANTICS,
            "entries": [entry.body() for entry in request.entries],
            "lexicon": [request.lexicon[name].body() for name in names],
            "time": request.time.body(),
            "grid": request.grid.body() if request.grid else None,
            "times": request.times,
            "levels": request.levels,
            "product": request.product,
            "options": dict(request.options),
            **({"forecast": str(request.forecast)} if request.forecast else {}),
            **({"masks": [mask.body() for mask in self.masks]} if self.masks else {}),
            **({"every": str(self.every)} if self.every else {}),
            "gaps": self.gaps,
            "target": self.target.body(),
            **self._derivations(),
        }
        return digest("prepared", json.loads(json.dumps(body)))

    def _derivations(self) -> dict[str, Any]:
        """How derived variables are made; the lexicon in the body has formula and window."""
        read = {entry.id for entry in self.request.entries}
        if set(self.variables) in (set(), read):
            return {}
        return {"variables": list(self.variables), "formulas": derived.SEMANTICS}


@dataclass(frozen=True)
class Unit:
    """One shard of one variable, or of both components of a vector."""

    names: tuple[str, ...]
    start: int
    stop: int
