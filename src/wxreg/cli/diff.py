"""``reg diff``: the difference of two models, plans or runs, in a person's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wxreg.cli.options import Scale
from wxreg.cli.session import Session
from wxreg.errors import NotFound, UsageError
from wxreg.library.reading import read_bytes


def command(
    ctx: typer.Context,
    one: Annotated[str, typer.Argument(help="A model, a run id, or a plan.json.")],
    two: Annotated[str, typer.Argument(help="What to compare it with.")],
    scale: Scale = "mini",
) -> None:
    """Explain how two models, plans or runs differ.

    Example: reg diff unet-hrrr-v1 ddpm-hrrr-v1
    """
    from wxreg.resolve.difference import differences

    session: Session = ctx.obj
    found = differences(_values(session, one, scale), _values(session, two, scale))
    if session.json:
        session.document({"same": not found, "differences": [item.as_json() for item in found]})
        return
    if not found:
        session.line("no difference: equal plans give equal results")
    for item in found:
        session.line(str(item))


def _values(session: Session, name: str, scale: str) -> Any:
    """The plan of a run, of a file, or of what a model resolves to now."""
    run = session.root / "runs" / name / "run.json"
    if run.is_file():
        return _of_run(run)
    file = Path(name)
    if file.suffix == ".json" and file.exists():
        return parse_json(file)
    if name in session.library.ids("model"):
        chosen = scale if scale in session.library.scales(name) else None
        return session.library.model(name, chosen).meaning()
    raise NotFound(
        "REG-300",
        f"{name!r} is no model, run or plan file",
        hint="`reg list models` and `reg list runs` show them",
    )


def _of_run(file: Path) -> Any:
    """What was meant and what it ran on; times and places do not count."""
    record = parse_json(file)
    run = record.get("run", {})
    plan = file.with_name("plan.json")
    return {
        **(parse_json(plan) if plan.is_file() else {}),
        "code": {"digest": run.get("code")},
        "environment": run.get("environment"),
        **{key: run.get("details", {}).get(key) for key in ("threads", "device", "precision")},
    }


def parse_json(file: Path) -> Any:
    """The values of a JSON file."""
    raw = read_bytes(file)
    try:
        return json.loads(raw)
    except ValueError as error:
        raise UsageError("REG-201", f"the file is not JSON: {error}", where=str(file)) from error
