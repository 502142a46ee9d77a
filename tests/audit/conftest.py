"""One small history, made once; each test that may damage it gets a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import little_history as little
import pytest

from wxreg.ledger.store import Ledger


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> little.History:
    """Closed, so that its files can be copied."""
    history = little.make(tmp_path_factory.mktemp("once") / "space")
    history.ledger.close()
    return history


def copied_to(made: little.History, root: Path) -> little.History:
    """The same history elsewhere; size and time of every file are kept."""
    shutil.copytree(made.root, root)
    places = {
        name: root / getattr(made, name).relative_to(made.root)
        for name in ("checkpoint", "forecast", "statistics", "data")
    }
    return replace(made, root=root, ledger=Ledger(root / ".reg" / "ledger.db"), **places)


@pytest.fixture
def history(made_once: little.History, tmp_path: Path) -> Iterator[little.History]:
    """A history that a test may damage."""
    copy = copied_to(made_once, tmp_path / "space")
    yield copy
    copy.ledger.close()


@pytest.fixture(scope="module")
def shared(
    made_once: little.History, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[little.History]:
    """A history that tests only read."""
    copy = copied_to(made_once, tmp_path_factory.mktemp("shared") / "space")
    yield copy
    copy.ledger.close()
