"""``reg scores``: what was scored, and how runs compare."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from wxreg.cli.session import Session


def command(
    ctx: typer.Context,
    runs: Annotated[
        list[str] | None, typer.Argument(help="Runs to compare; without any, all are listed.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only runs of this model.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Only runs of this protocol.")] = None,
    metric: Annotated[str | None, typer.Option(help="Only rows of this metric.")] = None,
    variable: Annotated[str | None, typer.Option(help="Only rows of this variable.")] = None,
    bin_: Annotated[str, typer.Option("--bin", help="Only rows of this bin.")] = "all",
) -> None:
    """List evaluations, show one, or compare several of one protocol.

    Example: reg scores --protocol hrrr-convective
    """
    from wxreg.runs.scoring.listing import compared, listed

    session: Session = ctx.obj
    if not runs:
        found = listed(session.root, model, protocol)
        _print(session, {"runs": found}, found)
        return
    rows = [
        row for row in compared(session.root, runs)
        if (metric in (None, row["metric"])) and (variable in (None, row["variable"]))
        and row["bin"] == bin_
    ]  # fmt: skip
    _print(session, {"runs": list(runs), "scores": rows}, _wide(rows, runs))


def _wide(rows: list[dict[str, Any]], runs: list[str]) -> list[dict[str, Any]]:
    """One line a score, one column a run."""
    keys = ("metric", "variable", "level", "lead", "threshold", "scale")
    wide: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        place = tuple(row[key] for key in keys)
        line = wide.setdefault(place, {**dict(zip(keys, place, strict=True)),
                                       **dict.fromkeys(runs)})  # fmt: skip
        line[row["run"]] = None if row["value"] is None else f"{row['value']:.4g}"
    return list(wide.values())


def _print(session: Session, document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    if session.json:
        session.document(document)
        return
    columns = list(rows[0]) if rows else []
    session.table(columns, [[row[name] for name in columns] for row in rows])
    session.note(f"{len(rows)} rows")
