"""Opening the ledger of a workspace from the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wxreg.cli.session import Session

if TYPE_CHECKING:
    from wxreg.ledger.store import Ledger

ENVIRONMENT = "REG_LEDGER"


def ledger_place(session: Session) -> str:
    """The URL that ``REG_LEDGER`` names, or the workspace's own database."""
    return os.environ.get(ENVIRONMENT) or str(session.root / ".reg" / "ledger.db")


@contextmanager
def opened(session: Session) -> Iterator[Ledger]:
    """The ledger, closed afterwards."""
    from wxreg.ledger.store import Ledger

    with Ledger.open(ledger_place(session)) as ledger:
        yield ledger


def run_rows(session: Session) -> list[dict[str, Any]]:
    """The runs of the ledger, newest first."""
    from wxreg.ledger import queries

    with opened(session) as ledger:
        return [
            {
                "id": run.id,
                "kind": run.kind,
                "state": run.state,
                "model": run.details.get("model"),
                "data": run.details.get("data"),
                "began": run.began,
            }
            for run in queries.runs(ledger)
        ]
