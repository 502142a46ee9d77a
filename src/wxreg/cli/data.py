"""``reg data``: canonical stores, new versions, files of the archives, and leakage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wxreg.cli.check import print_findings
from wxreg.cli.completing import complete_data
from wxreg.cli.data_making import (
    cut,
    make_version,
    origin,
    parameter_pairs,
    prepare_view,
    print_released,
)
from wxreg.cli.session import Session
from wxreg.errors import UsageError
from wxreg.ids import DataRef

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Prepare, add, fetch and check datasets.\n\nExample: reg data prepare hrrr@mini-1",
)
Start = Annotated[str | None, typer.Option(help="The first time, such as 2023-06-01T00:00.")]
End = Annotated[str | None, typer.Option(help="The time before which it ends.")]
Parameter = Annotated[
    list[str] | None, typer.Option(help="NAME=VALUE of the source; may be repeated.")
]
Workers = Annotated[int, typer.Option(min=1, help="How many processes.")]


@app.command()
def prepare(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="DATASET[@VERSION]",
            help="A version; or a dataset, with --source.",
            autocompletion=complete_data,
        ),
    ],
    version: Annotated[
        str | None, typer.Option("--version", help="Make a new version of this name.")
    ] = None,
    view: Annotated[str, typer.Option(help="The view of the dataset.")] = "native",
    source: Annotated[
        str | None, typer.Option(help="The source of the catalog that a new version is read from.")
    ] = None,
    parameter: Parameter = None,
    variable: Annotated[
        list[str] | None, typer.Option(help="A variable of the new version; may be repeated.")
    ] = None,
    level: Annotated[
        list[float] | None, typer.Option(help="A level of the new version; may be repeated.")
    ] = None,
    start: Start = None,
    end: End = None,
    region: Annotated[str | None, typer.Option(help="South,west,north,east in degrees.")] = None,
    splits: Annotated[
        Path | None, typer.Option(help="A file of splits; else those of the origin, cut short.")
    ] = None,
    workers: Workers = 2,
) -> None:
    """Write the canonical store of a version, or make a new version of a part of a source.

    A killed call goes on where it stopped.  A new version is pinned, described in the catalog,
    and keeps the splits of its origin as far as they lie in its time.

    Example: reg data prepare era5@mini-1 --version july --start 2021-07-01 --end 2021-08-01
    """
    session: Session = ctx.obj
    if version is None:
        if any((source, parameter, variable, level, start, end, region, splits)):
            raise UsageError(
                "REG-230", "a part of a source is a version of its own", hint="--version NAME"
            )
        prepare_view(session, DataRef.parse(what), view, workers)
        return
    chosen = cut(session, what, variable, level, start, end, region)
    values = origin(session, what, source, chosen, parameter or [])
    make_version(session, values, DataRef(what.partition("@")[0], version), splits, workers)


@app.command()
def add(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A dataset, such as hrrr.")],
    name: Annotated[str, typer.Argument(help="The name of the new version.")],
    folder: Annotated[Path, typer.Argument(help="The files, in the dataset's own layout.")],
    like: Annotated[
        str, typer.Option(help="The version whose description holds for the new files as well.")
    ],
) -> None:
    """Take over files in their real layout as a new version that never changes.

    Example: reg data add hrrr mended-1 ~/mended --like hrrr@mini-1
    """
    from wxreg.runs.datasets.releasing import release_folder

    session: Session = ctx.obj
    known = DataRef.parse(like)
    if known.dataset != dataset:
        raise UsageError("REG-230", f"{like} is no version of {dataset}")
    made = release_folder(session.library, DataRef(dataset, name), folder, known)
    print_released(session, made)


@app.command()
def fetch(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A dataset whose archive has files.")],
    folder: Annotated[Path, typer.Argument(help="Where the files go, under the archive's names.")],
    start: Start = None,
    end: End = None,
    source: Annotated[
        str | None, typer.Option(help="The source of the catalog; else the first with files.")
    ] = None,
    parameter: Parameter = None,
    variable: Annotated[
        list[str] | None,
        typer.Option(help="A variable of a Zarr store, else all; may be repeated."),
    ] = None,
) -> None:
    """Fetch the files of a range of dates from a public archive; a second call goes on.

    Of a Zarr store they are its chunks of these dates, and make a store of the same layout.

    Example: reg data fetch hrrr raw --start 2023-06-01 --end 2023-06-02
    """
    from wxreg.runs.datasets.fetching import fetch_files

    session: Session = ctx.obj
    options = parameter_pairs(parameter or [])
    report = fetch_files(
        session.library,
        dataset,
        source,
        (start, end),
        folder,
        session.note,
        options,
        tuple(variable or ()),
    )
    document = {
        "folder": str(folder),
        "bytes": report.bytes,
        **{outcome: report.named(outcome) for outcome in ("fetched", "there", "missing", "failed")},
    }
    for outcome in ("fetched", "there", "missing", "failed"):
        session.line(f"{len(report.named(outcome)):6d} {outcome}")
    report.check()
    if session.json:
        session.document(document)


@app.command()
def check(
    ctx: typer.Context,
    what: Annotated[
        str | None, typer.Argument(help="A dataset or a version; else every version.")
    ] = None,
) -> None:
    """Look for leakage between splits and for faults in prepared stores; exit 5 on an error.

    Example: reg data check sevir@mini-1
    """
    from wxreg.runs.datasets.data_checks import check_version

    session: Session = ctx.obj
    versions = _versions(session, what)
    findings = tuple(found for ref in versions for found in check_version(session.library, ref))
    if session.json:
        session.document(
            {
                "versions": [str(ref) for ref in versions],
                "findings": [found.as_json() for found in findings],
            }
        )
    else:
        print_findings(session, findings)
        session.note(f"{len(versions)} versions checked, {len(findings)} findings")
    if any(found.severity == "error" for found in findings):
        raise typer.Exit(5)


def _versions(session: Session, what: str | None) -> list[DataRef]:
    if what is not None and "@" in what:
        return [DataRef.parse(what)]
    datasets = [what] if what else session.library.ids("dataset")
    return [DataRef(one, name) for one in datasets for name in session.library.versions(one)]
