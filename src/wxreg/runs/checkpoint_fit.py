"""Whether a checkpoint is one of the system that a sample plan describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wxreg.errors import Incompatible
from wxreg.models.forecaster import Blueprint, Channel
from wxreg.runs.checkpoints import LoadedCheckpoint
from wxreg.specs.plan import SamplePlan


def check_fit(plan: SamplePlan, loaded: LoadedCheckpoint, where: Path) -> None:
    """Refuse weights that would read or name the plan's fields wrongly; every reason at once."""
    found = [
        *_network(plan, loaded.forecaster.blueprint),
        *_statistics(plan, loaded.metadata),
    ]
    if found:
        raise Incompatible(
            "REG-442",
            f"this checkpoint does not fit {plan.about.model} as it is declared now:\n"
            + "\n".join(f"  {reason}" for reason in found),
            where=str(where),
            hint="train the entry again, or restore the entry that the checkpoint was trained with",
        )


def _network(plan: SamplePlan, blueprint: Blueprint) -> Iterator[str]:
    declared = [
        part.partition(":")[2] for part in plan.semantics if part.startswith("architecture:")
    ]
    if declared and blueprint.architecture not in declared:
        yield f"it holds a {blueprint.architecture}, the entry is a {', '.join(declared)}"
    for side, channels in (("inputs", blueprint.inputs), ("targets", blueprint.targets)):
        yield from _channels(side, channels, getattr(plan, side).channels)
    yield from _channels("statics", blueprint.statics, plan.inputs.statics or plan.targets.statics)
    if blueprint.history != len(plan.history):
        yield f"it reads {blueprint.history} input steps, the entry gives {len(plan.history)}"


def _channels(side: str, trained: tuple[Channel, ...], declared: tuple[str, ...]) -> Iterator[str]:
    names = tuple(channel.name for channel in trained)
    if names == declared:
        return
    if sorted(names) == sorted(declared):
        yield f"its {side} are in the order {', '.join(names)}; the entry has {', '.join(declared)}"
        return
    less, more = sorted({*names} - {*declared}), sorted({*declared} - {*names})
    parts = [f"it has {', '.join(less)}"] if less else []
    parts += [f"it lacks {', '.join(more)}"] if more else []
    yield f"its {side} are others: {' and '.join(parts)}"


def _statistics(plan: SamplePlan, metadata: Mapping[str, Any]) -> Iterator[str]:
    """On the data that it was trained on, the statistics must be those it normalises with."""
    trained, used = metadata.get("plan", {}), metadata.get("statistics", {})
    for side in ("inputs", "targets"):
        store = getattr(plan, side)
        then = trained.get(side, {}).get("content")
        if then != store.content or None in (store.statistics, used.get(side)):
            continue
        if used[side] != store.statistics:
            yield (
                f"it normalises its {side} with the statistics {used[side][:12]}, "
                f"the entry names {store.statistics[:12]}"
            )
