"""The answer of ``reg whence``: what a file is, what made it, and how far that is proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["verified", "claimed", "ambiguous", "unknown", "tampered"]
Chain = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was recorded; for a field, which one.

    ``init`` and ``lead`` are seconds (since 1970, and of the lead time); ``place`` says where
    the difference lies when it is no field of a forecast: a file, a tensor, a key of the claim.
    """

    kind: Literal["field", "place", "claim", "index", "record", "bytes", "tensor", "ancestor"]
    what: str
    place: str | None = None
    variable: str | None = None
    init: int | None = None
    lead: int | None = None
    member: int | None = None
    level: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The difference under stable keys."""
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """What ``reg whence`` found out about one file."""

    status: Status
    subject: Mapping[str, Any]
    """``path``, ``kind``, ``sha256`` and on what the status rests."""
    chain: Chain = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The answer under its stable keys."""
        names = (
            "checkpoint",
            "training_run",
            "plan",
            "data",
            "statistics",
            "code",
            "environment",
            "sampling_run",
        )
        return {
            "status": self.status,
            "subject": dict(self.subject),
            **{name: self.chain.get(name) for name in names},
            "differences": [difference.as_json() for difference in self.differences],
        }
