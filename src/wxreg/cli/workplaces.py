"""The workspace and ledger that an audit may look at, where there are any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wxreg.cli.ledgers import ENVIRONMENT, ledger_place
from wxreg.cli.session import Session
from wxreg.errors import NotFound, UsageError

if TYPE_CHECKING:
    from wxreg.audit.workplace import Workplace
    from wxreg.ledger.store import Ledger


@contextmanager
def workplace(session: Session) -> Iterator[Workplace]:
    """What is here: outside a workspace only claims can be read, and no ledger is ever made."""
    from wxreg.audit.workplace import Workplace
    from wxreg.ledger.store import Ledger

    root = _root(session)
    if root is None and not os.environ.get(ENVIRONMENT):
        yield Workplace()
        return
    place = ledger_place(session)
    if "://" not in place and not Path(place).is_file():
        yield Workplace(root)
        return
    ledger = Ledger(place)  # not Ledger.open: an audit writes nothing
    try:
        yield Workplace(root, ledger)
    finally:
        ledger.close()


def _root(session: Session) -> Path | None:
    try:
        return session.root
    except UsageError:
        if session.named is not None:
            raise
        return None


@contextmanager
def needed_ledger(session: Session) -> Iterator[Ledger]:
    """The ledger of this workspace, which must be there already."""
    with workplace(session) as here:
        if here.ledger is None:
            raise NotFound(
                "REG-301",
                "there is no ledger here",
                where=ledger_place(session),
                hint="`reg log rebuild` makes it anew from the records beside the artifacts",
            )
        yield here.ledger
