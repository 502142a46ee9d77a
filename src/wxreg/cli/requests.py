"""Words of the command line as one request to the resolver."""

from __future__ import annotations

from typing import Any, get_args

from wxreg.errors import UsageError
from wxreg.ids import DataRef, near_names
from wxreg.leadtime import parse_leads
from wxreg.resolve.request import PlanKind, Request, parse_overrides


def make_request(
    model: str,
    data: str | None,
    lead_time: str | None,
    task: str,
    scale: str,
    members: int | None,
    seed: int,
    *,
    set_: list[str] | None = None,
    **more: Any,
) -> Request:
    """Parse every word once; what is wrong says so with the near names."""
    kinds = get_args(PlanKind)
    if task not in kinds:
        near = near_names(task, kinds)
        hint = f"did you mean {near[0]}?" if near else f"tasks: {', '.join(kinds)}"
        raise UsageError("REG-200", f"{task!r} is not a task", where="--task", hint=hint)
    return Request(
        model=model,
        data=DataRef.parse(data) if data else None,
        leads=parse_leads(lead_time) if lead_time else (),
        task=task,  # type: ignore[arg-type]
        scale=scale,
        members=members,
        seed=seed,
        overrides=parse_overrides(set_ or ()),
        **more,
    )
