"""Where a forecast goes and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cftime
import numpy as np
from numpy.typing import NDArray

from wxreg.artifacts.digests import prefix64
from wxreg.data.batches import BatchSource
from wxreg.data.clock import moment_text
from wxreg.data.forecast_index import read_index
from wxreg.data.forecast_layout import EPOCH, ForecastLayout, head_planes
from wxreg.data.missing_inputs import FilledInput
from wxreg.errors import Conflict
from wxreg.ids import inside
from wxreg.ledger.records import ForecastIndex
from wxreg.library.loading import Library
from wxreg.runs.recording import Run
from wxreg.runs.sampling.unfinished import is_unfinished
from wxreg.specs.plan import SamplePlan


def forecast_target(library: Library, plan: SamplePlan, out: Path | None) -> Path | None:
    """Where in the workspace the forecast goes, if that was said; a taken place is refused."""
    if out is None:
        return None
    path = inside(library.root, out, "--out")
    if path.exists() and not is_unfinished(path, plan.digest()):
        raise Conflict(
            "REG-600",
            "something is there already",
            where=str(path),
            hint="name another place, or leave --out out: the run then names the forecast",
        )
    return path


def forecast_layout(
    library: Library,
    source: BatchSource,
    plan: SamplePlan,
    windows: NDArray[np.int64],
    heads: Mapping[str, Mapping[str, Any]],
) -> ForecastLayout:
    """The axes of the store: segments stand beside init times where the data are events."""
    lexicon = library.lexicon()
    names = {channel.partition("@")[0] for channel in plan.targets.channels}
    units = {name: lexicon[name].units for name in sorted(names) if name in lexicon}
    place = source.reading.target_place
    starts = [source.windows.starts[window] for window in windows]
    return ForecastLayout(
        channels=plan.targets.channels,
        inits=tuple(start.init for start in starts),
        leads=tuple(lead.seconds for lead in plan.leads),
        members=plan.sampling.members,
        member_block=min(plan.sampling.member_batch, plan.sampling.members),
        y=place.y,
        x=place.x,
        lat=place.lat,
        lon=place.lon,
        calendar=plan.targets.calendar,
        units={**units, **_head_units(heads, units)},
        segments=tuple(start.segment for start in starts) if plan.inputs.segments else (),
        heads=heads,
    )


def _head_units(heads: Mapping[str, Mapping[str, Any]], units: Mapping[str, str]) -> dict[str, str]:
    """The units of the parameters of heads: those of the variable, or none once transformed."""
    found = {}
    for channel, head in heads.items():
        own = units.get(channel.partition("@")[0], "1")
        for plane in head_planes(channel):
            unchanged = head["transform"] in ("identity", "clip")
            found[plane.partition("@")[0]] = own if unchanged else "1"
    return found


def forecast_claim(
    run: Run,
    plan: SamplePlan,
    checkpoint: str | None,
    training_run: str | None,
    filled: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """What the forecast says of itself, so that a copy can be asked without a ledger."""
    return {
        "model": plan.about.model,
        "checkpoint": checkpoint,
        "training_run": training_run,
        "sampling_run": run.id,
        "plan": plan.digest(),
        "data": {
            "inputs": {"dataset": plan.inputs.dataset, "content": plan.inputs.content},
            "targets": {"dataset": plan.targets.dataset, "content": plan.targets.content},
        },
        "statistics": {
            side: getattr(plan, side).statistics
            for side in ("inputs", "targets")
            if getattr(plan, side).statistics
        },
        "seed": plan.seed,
        "members": plan.sampling.members,
        **({"filled_inputs": list(filled)} if filled else {}),
    }


def filled_json(plan: SamplePlan, filled: Sequence[FilledInput]) -> list[dict[str, str]]:
    """The inputs that were missing, and the time whose field stands in, as the record has them."""

    def text(seconds: int) -> str:
        return moment_text(cftime.num2date(seconds, EPOCH, plan.inputs.calendar))

    return [
        {
            "channel": one.channel,
            "time": text(one.wanted),
            "from": text(one.taken),
            "policy": plan.sampling.missing,
            **({"segment": str(one.segment)} if one.segment else {}),
        }
        for one in filled
    ]


def seal_forecast(
    run: Run, path: Path, root: str, plan: SamplePlan, checkpoint: str | None, inits: int
) -> str:
    """Seal the forecast under its Merkle root; each byte was hashed when it was written."""
    index = ForecastIndex(root, root, tuple(prefix64(entry.digest) for entry in read_index(path)))
    details = {"model": plan.about.model, "inits": inits, "members": plan.sampling.members}
    if checkpoint:
        details["checkpoint"] = checkpoint
    return run.seal(path, "forecast", {}, details, index)
