"""What an audit may look at: the workspace and its ledger, where they are here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wxreg.ledger.store import Ledger


@dataclass(frozen=True)
class Workplace:
    """A workspace and its ledger; either may be missing, and less can be proved then."""

    root: Path | None = None
    ledger: Ledger | None = None

    def relative(self, path: Path) -> str | None:
        """A path as the ledger writes it; None when it lies outside."""
        if self.root is None:
            return None
        here, root = path.resolve(), self.root.resolve()
        return here.relative_to(root).as_posix() if here.is_relative_to(root) else None
