"""``reg matrix``: what fits together."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wxreg.cli.completing import complete_models
from wxreg.cli.options import Data, Scale
from wxreg.cli.session import Session
from wxreg.ids import DataRef


def command(
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="Only this model.", autocompletion=complete_models)
    ] = None,
    data: Data = None,
    scale: Scale = "mini",
    ok: Annotated[bool, typer.Option("--ok", help="Only what fits.")] = False,
) -> None:
    """Show every (model, dataset, lead) with yes, or the reason why not.

    Example: reg matrix unet-hrrr-v1 --ok
    """
    from wxreg.resolve.matrix import matrix

    session: Session = ctx.obj
    library = session.library
    if model is not None:
        library.path("model", model)
    models = (model,) if model else library.ids("model")
    cells = [
        cell
        for cell in matrix(library, models, _datasets(library, data), scale)
        if cell.ok or not ok
    ]
    if session.json:
        session.document(
            {
                "rows": [
                    {
                        "model": cell.model,
                        "dataset": cell.dataset,
                        "lead": str(cell.lead),
                        "ok": cell.ok,
                        "reasons": list(cell.reasons),
                    }
                    for cell in cells
                ]
            }
        )
        return
    session.table(
        ("model", "dataset", "lead", "fits"),
        [(c.model, c.dataset, c.lead, "yes" if c.ok else c.reasons[0]) for c in cells],
    )


def _datasets(library: Any, data: str | None) -> tuple[DataRef, ...]:
    if data is not None:
        ref = DataRef.parse(data)
        if ref.version:
            return (ref,)
        names: tuple[str, ...] = (ref.dataset,)
    else:
        names = library.ids("dataset")
    return tuple(DataRef(name, v) for name in names for v in library.versions(name))
