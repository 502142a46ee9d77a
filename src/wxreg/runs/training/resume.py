"""Resume points: everything that the next optimizer step depends on, and nothing else.

A point lies on an optimizer-step boundary.  Random state is no part of it, since every batch is
reseeded from (seed, epoch, batch, rank).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wxreg.artifacts.checkpoint_file import read_checkpoint, write_checkpoint
from wxreg.artifacts.layout import Layout
from wxreg.errors import Conflict, IntegrityError, NotFound
from wxreg.runs.checkpoints import raw_tensors, torch_tensors
from wxreg.runs.training.module import TrainingModule

FILE = "point.safetensors"
BEFORE = "before.safetensors"


@dataclass
class Best:
    """The validations so far."""

    value: float | None = None
    step: int = 0
    stale: int = 0
    """Validations since the last improvement."""
    kept: list[tuple[float, int]] = field(default_factory=list)
    """(validation loss, step) of the checkpoints that are kept, best first."""


def save_point(
    folder: Path, module: TrainingModule, optimizer: torch.optim.Optimizer, plan: str, best: Best
) -> None:
    """Write the point aside and rename it: the one before stays whole until then."""
    tensors: dict[str, Tensor] = {}
    tensors |= {f"weights.{k}": v for k, v in module.forecaster.state_dict().items()}
    tensors |= {f"averaged.{k}": v for k, v in module.averaged.items()}
    plain: dict[str, dict[str, Any]] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                plain.setdefault(str(index), {})[key] = value
    metadata = {
        "plan_digest": plan,
        "step": module.step,
        "cuts": module.cuts,
        "best": asdict(best),
        "optimizer": plain,
    }
    folder.mkdir(parents=True, exist_ok=True)
    _set_aside(folder)
    write_checkpoint(folder / FILE, raw_tensors(tensors), metadata)


def _set_aside(folder: Path) -> None:
    """Keep the point that there is as the one before; at no moment is there none."""
    if (folder / FILE).is_file():
        second = folder / f"{BEFORE}.new"
        second.unlink(missing_ok=True)
        second.hardlink_to(folder / FILE)
        second.replace(folder / BEFORE)


def take_back(folder: Path, step: int) -> None:
    """Drop a point of this step, whose weights turned out to be bad, for the one before."""
    point = folder / FILE
    if (folder / BEFORE).is_file() and int(read_checkpoint(point).metadata["step"]) == step:
        (folder / BEFORE).replace(point)


def forget(folder: Path) -> None:
    """Remove the points of a training that is whole."""
    (folder / FILE).unlink(missing_ok=True)
    (folder / BEFORE).unlink(missing_ok=True)


@dataclass(frozen=True)
class Point:
    """A resume point that was read."""

    step: int
    cuts: int
    best: Best
    tensors: Mapping[str, Tensor]
    optimizer: Mapping[str, Mapping[str, Any]]

    def restore(self, module: TrainingModule) -> None:
        """Put weights, averages and counters back."""
        module.forecaster.load_state_dict(self._part("weights."))
        module.averaged = self._part("averaged.")
        module.step, module.cuts = self.step, self.cuts

    def restore_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Put the optimizer's memory back."""
        state: dict[int, dict[str, Any]] = {}
        for name, tensor in self._part("optimizer.").items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = tensor
        for name, values in self.optimizer.items():
            state.setdefault(int(name), {}).update(values)
        optimizer.load_state_dict(
            {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
        )

    def _part(self, prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}


def read_point(path: Path, plan: str) -> Point:
    """Read a resume point; one of another plan is refused."""
    file = read_checkpoint(path)
    found = file.metadata.get("plan_digest")
    if found != plan:
        raise Conflict(
            "REG-660",
            f"the resume point belongs to plan {str(found)[:12]}, not {plan[:12]}",
            where=str(path),
            hint="train without --resume, or ask for the settings that the run had",
        )
    try:
        best = file.metadata["best"]
        kept = [(float(value), int(step)) for value, step in best["kept"]]
        return Point(
            step=int(file.metadata["step"]),
            cuts=int(file.metadata["cuts"]),
            best=Best(best["value"], int(best["step"]), int(best["stale"]), kept),
            tensors=torch_tensors(file.tensors),
            optimizer=file.metadata["optimizer"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            "REG-560", f"the resume point is damaged: {error}", where=str(path)
        ) from error


def find_point(layout: Layout, plan: str) -> Path:
    """The newest resume point of a plan that has not finished."""
    folder = layout.root / "runs"
    for run in sorted(folder.glob("train-*"), reverse=True):
        point = layout.resume(run.name) / FILE
        if point.is_file() and read_checkpoint(point).metadata.get("plan_digest") == plan:
            return point
    raise NotFound(
        "REG-360",
        "no run of this plan left a resume point",
        where=str(folder),
        hint="train without --resume",
    )


def adopt(point: Path, folder: Path) -> None:
    """Take over what the interrupted run had written, so that the new run is whole."""
    old = point.parents[1]
    for name in ("checkpoints", "metrics.jsonl", "resume"):
        source = old / name
        if source.is_dir():
            shutil.copytree(source, folder / name, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copy2(source, folder / name)
