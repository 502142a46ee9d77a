"""``reg export``: the chain of an artifact in the forms that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wxreg.cli.session import Session
from wxreg.errors import UsageError

_FORMATS = ("ro-crate", "prov")


def command(
    ctx: typer.Context,
    artifact: Annotated[str, typer.Argument(help="A run, a forecast or a checkpoint.")],
    out: Annotated[Path, typer.Option(help="The folder (ro-crate) or file (prov) to write.")],
    format: Annotated[
        str, typer.Option(help="ro-crate: a folder with the files; prov: W3C PROV-JSON.")
    ] = "ro-crate",
) -> None:
    """Write what a run, forecast or checkpoint was made from as an RO-Crate or as W3C PROV.

    Example: reg export forecasts/sample-20261121-051120-bec24e.zarr --out storm-crate
    """
    session: Session = ctx.obj
    if format not in _FORMATS:
        what = f"{format!r} is neither {' nor '.join(_FORMATS)}"
        raise UsageError("REG-200", what, where="--format")
    from wxreg.audit.impact import node_of
    from wxreg.audit.members import gather_chain
    from wxreg.cli.workplaces import needed_ledger
    from wxreg.publish.crate import write_crate
    from wxreg.publish.prov import write_prov
    from wxreg.publish.provenance import provenance

    with needed_ledger(session) as ledger:
        chain = gather_chain(session.root, ledger, node_of(session.root, ledger, artifact))
        known = provenance(session.root, ledger, chain)
    if format == "prov":
        write_prov(out, known)
    else:
        write_crate(out, chain, known)
    if session.json:
        session.document(
            {
                "path": str(out),
                "format": format,
                "runs": list(chain.runs),
                "things": sorted(known.things),
                "missing": list(chain.missing),
            }
        )
    session.line(f"{out}: {len(chain.runs)} runs and {len(known.things)} things ({format})")
    for name in chain.missing:
        session.line(f"not here, so only named: {name}")
