"""``reg show``: one entry, fully expanded."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from wxreg.cli.options import Scale
from wxreg.cli.session import Session
from wxreg.errors import NotFound
from wxreg.ids import DataRef, near_names
from wxreg.library.loading import FOLDERS, Library
from wxreg.specs.base import Entry
from wxreg.specs.experiment import Experiment
from wxreg.specs.protocol import Cases, Protocol

_SPECS: dict[str, type[Entry]] = {
    "protocol": Protocol,
    "case": Cases,
    "experiment": Experiment,
}


def command(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A model, dataset, version, protocol …")],
    scale: Scale = "mini",
) -> None:
    """Show one entry: a model with its bases and scale laid together, a dataset, a version.

    Example: reg show hrrr@mini-1
    """
    session: Session = ctx.obj
    kind, entry = _find(session.library, name, scale)
    body = json.loads(entry.model_dump_json(exclude_defaults=True))
    if session.json:
        session.document({"kind": kind, "digest": entry.digest(), "entry": body})
        return
    import yaml

    session.line(f"{kind} {name}  {entry.digest()[:12]}")
    session.line(yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=100).rstrip())


def _find(library: Library, name: str, scale: str) -> tuple[str, Entry]:
    if "@" in name:
        return "version", library.version(DataRef.parse(name))
    for kind in FOLDERS:
        if name not in library.ids(kind):
            continue
        if kind == "model":
            chosen = scale if scale in library.scales(name) else None
            return kind, library.model(name, chosen)
        if kind == "dataset":
            return kind, library.description(name)
        if kind == "card":
            return kind, library.card(name)
        return kind, library.entry(kind, name, _SPECS[kind])
    known: list[Any] = [entry for kind in FOLDERS for entry in library.ids(kind)]
    near = near_names(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else "`reg list models` shows the models"
    raise NotFound("REG-300", f"nothing is called {name!r}", hint=hint)
