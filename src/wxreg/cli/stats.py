"""``reg stats``: normalisation statistics."""

from __future__ import annotations

from typing import Annotated

import typer

from wxreg.cli.check import print_findings
from wxreg.cli.completing import complete_data
from wxreg.cli.session import Session
from wxreg.ids import DataRef

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Normalisation statistics of a version's training split.\n\n"
    "Example: reg stats show hrrr@mini-1",
)
Version = Annotated[
    str, typer.Argument(help="A version, such as hrrr@mini-1.", autocompletion=complete_data)
]
View = Annotated[str, typer.Option(help="The view of the dataset.")]


@app.command()
def compute(
    ctx: typer.Context,
    version: Version,
    view: View = "native",
    name: Annotated[str | None, typer.Option(help="Their name; the view's if not given.")] = None,
    step: Annotated[
        list[str] | None, typer.Option(help="A step for tendencies, such as 1h; may be repeated.")
    ] = None,
    variable: Annotated[
        list[str] | None,
        typer.Option(help="A derived variable beyond those of the view; may be repeated."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Compute statistics in one pass over the training split and write them into the catalog.

    Example: reg stats compute hrrr@mini-1 --step 1h --step 3h
    """
    from wxreg.leadtime import Duration
    from wxreg.runs.datasets.statistics import compute_statistics
    from wxreg.runs.progress import Bar

    session: Session = ctx.obj
    bar = Bar(f"statistics of {version}", 1, quiet=session.quiet or session.json)
    try:
        path, made = compute_statistics(
            session.library,
            DataRef.parse(version),
            view,
            name,
            tuple(Duration.parse(text) for text in step or ()),
            more=tuple(variable or ()),
            workers=workers,
            progress=bar.told,
        )
    finally:
        bar.close()
    document = {"path": str(path), "digest": made.digest(), "channels": sorted(made.channels)}
    if session.json:
        session.document(document)
    session.line(f"{path.relative_to(session.root)}  {made.digest()[:12]}")
    session.line(f"{len(made.channels)} channels")


@app.command()
def verify(
    ctx: typer.Context,
    version: Version,
    name: Annotated[str, typer.Option(help="Which statistics.")] = "native",
    view: View = "native",
) -> None:
    """Recount a sample of the channels; exit 5 when a number differs.

    Example: reg stats verify hrrr@mini-1
    """
    from wxreg.runs.datasets.statistics import verify_statistics

    session: Session = ctx.obj
    findings = tuple(verify_statistics(session.library, DataRef.parse(version), name, view))
    if session.json:
        session.document({"findings": [found.as_json() for found in findings]})
    else:
        print_findings(session, findings)
        if not findings:
            session.line(f"the statistics {name!r} of {version} are what a recount gives")
    if findings:
        raise typer.Exit(5)


@app.command()
def show(
    ctx: typer.Context,
    version: Version,
    name: Annotated[str, typer.Option(help="Which statistics.")] = "native",
) -> None:
    """Show the numbers of every channel.

    Example: reg stats show hrrr@mini-1
    """
    from wxreg.errors import NotFound

    session: Session = ctx.obj
    found = session.library.statistics(DataRef.parse(version), name)
    if found is None:
        raise NotFound(
            "REG-301",
            f"{version} has no statistics {name!r}",
            hint=f"`reg stats compute {version}` makes them",
        )
    if session.json:
        session.document(found.model_dump(mode="json"))
        return
    session.line(f"{found.dataset} {found.id} {found.digest()[:12]} over {found.window[0]}")
    session.table(
        ("channel", "transform", "mean", "std", "min", "max", "missing", "tendencies"),
        [
            (
                channel,
                known.transform,
                f"{known.values.mean:.5g}",
                f"{known.values.std:.5g}",
                f"{known.values.minimum:.5g}",
                f"{known.values.maximum:.5g}",
                f"{known.missing:.2%}",
                ", ".join(f"{step} {m.std:.4g}" for step, m in known.tendencies.items()),
            )
            for channel, known in found.channels.items()
        ],
    )
