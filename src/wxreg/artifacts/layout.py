"""Where everything of a workspace lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wxreg.ids import check_name

RECORD_SUFFIX: Final = ".reg.json"
_ARTIFACT_FOLDERS: Final = ("runs", "forecasts", "scores", "data", "catalog", "registry", "cards")


@dataclass(frozen=True)
class Layout:
    """The paths of the workspace at ``root``; nothing is made or looked at."""

    root: Path

    @property
    def ledger(self) -> Path:
        """The ledger's default database."""
        return self.root / ".reg" / "ledger.db"

    @property
    def cache(self) -> Path:
        """What may be deleted at any time."""
        return self.root / ".reg" / "cache"

    @property
    def embedded(self) -> Path:
        """The DVC remote that ships with the repository."""
        return self.root / "data" / "embedded"

    def version(self, dataset: str, version: str) -> Path:
        """The folder of a dataset version, in its real layout."""
        return self.root / "data" / _name(dataset) / _name(version)

    def pin(self, dataset: str, version: str) -> Path:
        """The DVC pin of a dataset version."""
        return self.root / "data" / _name(dataset) / f"{_name(version)}.dvc"

    def version_entry(self, dataset: str, version: str) -> Path:
        """The catalog's entry of a dataset version."""
        return self.root / "catalog" / _name(dataset) / "versions" / f"{_name(version)}.yaml"

    def stat_manifest(self, dataset: str, version: str) -> Path:
        """The cached stat of a dataset version that was found whole."""
        return self.cache / "stat" / f"{_name(dataset)}@{_name(version)}.json"

    def prepared(self, dataset: str, version: str) -> Path:
        """The canonical store of a dataset version."""
        return self.root / "data" / "prepared" / _name(dataset) / f"{_name(version)}.zarr"

    def statistics(self, dataset: str, version: str, name: str) -> Path:
        """A statistics file."""
        folder = self.root / "catalog" / "stats" / _name(dataset) / _name(version)
        return folder / f"{_name(name)}.yaml"

    def run(self, run: str) -> Path:
        """The folder of a run."""
        return self.root / "runs" / _name(run)

    def run_json(self, run: str) -> Path:
        """What the ledger knows of a run, readable without a database."""
        return self.run(run) / "run.json"

    def plan_json(self, run: str) -> Path:
        """The plan of a run, in full."""
        return self.run(run) / "plan.json"

    def metrics(self, run: str) -> Path:
        """The metrics of a run, one JSON object a line."""
        return self.run(run) / "metrics.jsonl"

    def checkpoint(self, run: str, name: str) -> Path:
        """A checkpoint of a training run."""
        return self.run(run) / "checkpoints" / f"{_name(name)}.safetensors"

    def resume(self, run: str) -> Path:
        """What a run needs to go on after an interruption."""
        return self.run(run) / "resume"

    def forecast(self, run: str) -> Path:
        """The forecast that a sampling run made."""
        return self.root / "forecasts" / f"{_name(run)}.zarr"

    def scores(self, run: str) -> Path:
        """The scores that an evaluation run made."""
        return self.root / "scores" / _name(run)

    def relative(self, path: Path) -> str:
        """A path as the ledger and sealed records write it."""
        return path.relative_to(self.root).as_posix()

    def run_files(self) -> Iterator[Path]:
        """Every ``run.json``."""
        yield from sorted((self.root / "runs").glob("*/run.json"))

    def sealed_records(self) -> Iterator[Path]:
        """Every sealed record beside an artifact."""
        for folder in _ARTIFACT_FOLDERS:
            yield from sorted((self.root / folder).rglob(f"*{RECORD_SUFFIX}"))


def record_beside(path: Path) -> Path:
    """The sealed record of an artifact."""
    return path.with_name(path.name + RECORD_SUFFIX)


def new_run_id(kind: str, now: datetime, token: str) -> str:
    """The id of a run: ``train-20261121-034512-a3f9c1``, with six characters of ``token``."""
    return check_name(f"{kind}-{now.astimezone(UTC):%Y%m%d-%H%M%S}-{token[:6]}", "run")


def _name(text: str) -> str:
    return check_name(text, "file of the workspace")
