"""``reg report``: the scores of a run as one page."""

from __future__ import annotations

from typing import Annotated

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="A run of `reg evaluate`.")],
) -> None:
    """Write one self-contained HTML page with the tables and figures of an evaluation.

    Example: reg report evaluate-20261121-053903-cf7962
    """
    from wxreg.report.reporting import write_report

    session: Session = ctx.obj
    made = write_report(session.library, run)
    if session.json:
        session.document(
            {
                "run": made.run,
                "html": str(made.html),
                "markdown": str(made.markdown),
                "figures": list(made.figures),
            }
        )
        return
    session.line(f"page      {made.html}")
    session.line(f"markdown  {made.markdown}")
    session.note(f"{len(made.figures)} figures: {', '.join(made.figures)}")
