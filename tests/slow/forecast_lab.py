"""A workspace of its own on the embedded data, where whole trainings run by the real commands."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CORES = 2
LONGEST_MINUTES = 2.0
QUIET_WAITING = {"OMP_WAIT_POLICY": "passive"}
"""Threads that wait for each other on a busy machine sleep, so that waiting is no work."""


@dataclass(frozen=True)
class Training:
    """What one training left, and what it cost."""

    name: str
    document: dict[str, Any]
    minutes: float
    """On two cores: half of the processor time, so that a busy machine does not count."""


@dataclass(frozen=True)
class Lab:
    """The workspace, and the trainings that were made in it."""

    root: Path
    command: list[str]
    trained: dict[str, Training] = field(default_factory=dict)

    def reg(self, *words: str) -> dict[str, Any]:
        """The one document of a command, which must succeed."""
        done = subprocess.run(
            [*self.command, "--workspace", str(self.root), "--json", *words],
            env={**os.environ, "OMP_NUM_THREADS": str(CORES), "OMP_WAIT_POLICY": "passive"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"reg {' '.join(words)}: {done.stdout}{done.stderr}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def train(self, name: str) -> Training:
        """The training of an entry at mini scale with the default seed; once for all tests."""
        if name not in self.trained:
            before = _processor_seconds()
            document = self.reg("train", name)
            spent = _processor_seconds() - before
            self.trained[name] = Training(name, document, spent / CORES / 60)
        return self.trained[name]

    def evaluate(self, name: str, *words: str) -> dict[str, Any]:
        """The scores of an entry on the held-out test split."""
        self.train(name)
        return self.reg("evaluate", name, *words)


def make_lab(
    root: Path, repository: Path, command: list[str], datasets: tuple[str, ...] = ("hrrr", "sevir")
) -> Lab:
    """Copy what a workspace is made of; the prepared stores too where they are there."""
    for name in ("catalog", "registry", "cards", ".dvc"):
        shutil.copytree(repository / name, root / name, ignore=shutil.ignore_patterns("cache"))
    for dataset in datasets:
        shutil.copytree(repository / "data" / dataset, root / "data" / dataset)
        prepared = repository / "data" / "prepared" / dataset
        if prepared.is_dir():
            shutil.copytree(prepared, root / "data" / "prepared" / dataset)
    return Lab(root, command)


def _processor_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
