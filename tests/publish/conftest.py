"""A small workspace with one finished training, and a Hub on loopback."""

# ruff: noqa: E402
from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read when the Hub's library is first imported
TESTS = Path(__file__).parents[1]
for folder in (TESTS, TESTS / "publish", TESTS / "audit", TESTS / "models"):
    sys.path.insert(0, str(folder))

from local_hub import TOKEN, LocalHub
from small_lab import Lab, make_lab

from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.publish.evidence import gather
from wxreg.publish.release import Release, build_release


@pytest.fixture(scope="session")
def made_lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "lab"
    make_lab(root)
    return root


@pytest.fixture
def lab(made_lab: Path, tmp_path: Path) -> Iterator[Lab]:
    """A copy that a test may change."""
    root = Path(shutil.copytree(made_lab, tmp_path / "lab"))
    with Ledger(root / ".reg" / "ledger.db") as ledger:
        yield Lab(root, Library(root), ledger)


@pytest.fixture(scope="session")
def release(made_lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release of the lab's one training; tests only read it."""
    folder, library = tmp_path_factory.mktemp("released") / "release", Library(made_lab)
    with Ledger(made_lab / ".reg" / "ledger.db") as ledger:
        evidence = gather(library, ledger, "parent-v1")
        return build_release(library, ledger, evidence, folder, repository="my-lab/parent")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with LocalHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr("time.sleep", lambda _seconds: None)  # the Hub's library backs off
        yield server
