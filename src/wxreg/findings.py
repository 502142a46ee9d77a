"""One finding of a check: what is wrong, where, and how to repair it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing a check saw; ``where`` is ``path:line`` or the name of an artifact."""

    severity: Severity
    code: str
    where: str
    what: str
    remedy: str

    def as_json(self) -> dict[str, str]:
        """The finding under the stable keys that other tools rely on."""
        return asdict(self)
