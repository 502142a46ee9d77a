"""``reg data``: canonical stores, new versions, files of the archives, and leakage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wxreg.cli.check import print_findings
from wxreg.cli.completing import complete_data
from wxreg.cli.session import Session
from wxreg.errors import UsageError
from wxreg.ids import DataRef

if TYPE_CHECKING:
    from wxreg.runs.origins import Cut, Origin
    from wxreg.runs.releasing import Released

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Prepare, add, fetch and check datasets.\n\nExample: reg data prepare hrrr@mini-1",
)
Start = Annotated[str | None, typer.Option(help="The first time, such as 2023-06-01T00:00.")]
End = Annotated[str | None, typer.Option(help="The time before which it ends.")]
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
    parameter: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the source; may be repeated.")
    ] = None,
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
        _prepare_view(session, DataRef.parse(what), view, workers)
        return
    cut = _cut(session, what, variable, level, start, end, region)
    origin = _origin(session, what, source, cut, parameter or [])
    _make_version(session, origin, DataRef(what.partition("@")[0], version), splits, workers)


def _prepare_view(session: Session, ref: DataRef, view: str, workers: int) -> None:
    from wxreg.artifacts.layout import Layout
    from wxreg.runs.data_checks import quality, write_quality_report
    from wxreg.runs.preparing import fetched_version, prepare_plan, prepared
    from wxreg.runs.progress import Bar

    layout = Layout(session.root)
    plan = prepare_plan(session.library, layout, ref, view)
    bar = Bar(f"preparing {ref}", 1, quiet=session.quiet or session.json)
    try:
        store = prepared(
            plan, lambda: fetched_version(session.library, layout, ref), workers, bar.told
        )
    finally:
        bar.close()
    findings = quality(session.library, session.library.version(ref), store)
    report = write_quality_report(store, str(ref), findings)
    document = {"version": str(ref), "view": view, "path": str(store), "quality": str(report)}
    if session.json:
        session.document({**document, "identity": plan.identity(), "findings": len(findings)})
    session.line(f"{ref} {view}  {store.relative_to(session.root)}")
    session.line(f"{len(findings)} findings in {report.relative_to(session.root)}")


def _cut(
    session: Session,
    what: str,
    variable: list[str] | None,
    level: list[float] | None,
    start: str | None,
    end: str | None,
    region: str | None,
) -> Cut:
    from wxreg.runs.origins import Cut
    from wxreg.specs.timeaxis import normal_moment

    if "@" in what:
        known = session.library.version(DataRef.parse(what)).time
        start, end = start or known.start, end or known.end
    if (start is None) != (end is None):
        raise UsageError("REG-230", "give both --start and --end")
    try:
        times = (normal_moment(start), normal_moment(end)) if start and end else None
    except ValueError as error:
        raise UsageError("REG-230", str(error)) from error
    if times is not None and times[1] <= times[0]:
        raise UsageError("REG-230", f"the end {times[1]} does not lie after {times[0]}")
    return Cut(times, _region(region), tuple(variable or ()), tuple(level or ()))


def _region(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        south, west, north, east = (float(part) for part in text.split(","))
    except ValueError as error:
        hint = "--region 38,-104,41,-99"
        raise UsageError("REG-230", f"{text!r} is no region", hint=hint) from error
    return south, west, north, east


def _origin(
    session: Session, what: str, source: str | None, cut: Cut, parameters: list[str]
) -> Origin:
    from wxreg.runs.origins import from_source, from_version
    from wxreg.runs.preparing import fetched_version

    if "@" in what:
        if source or parameters:
            raise UsageError("REG-230", "a version is its own source: leave --source out")
        from wxreg.artifacts.layout import Layout

        ref = DataRef.parse(what)
        fetched_version(session.library, Layout(session.root), ref)
        return from_version(session.library, ref, cut)
    if source is None:
        raise UsageError(
            "REG-230",
            f"say which source of {what} to read",
            hint=f"--source {' or '.join(session.library.sources(what))}",
        )
    pairs = dict(_pair(one) for one in parameters)
    return from_source(session.library, what, source, cut, pairs)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError("REG-230", f"{text!r} is no parameter", hint="--parameter NAME=VALUE")
    return name, value


def _make_version(
    session: Session, origin: Origin, ref: DataRef, file: Path | None, workers: int
) -> None:
    from wxreg.runs.data_checks import quality, write_quality_report
    from wxreg.runs.progress import Bar
    from wxreg.runs.releasing import release_prepared, splits_of

    splits = splits_of(session.library, file) if file else origin.splits
    if splits is None:
        raise UsageError("REG-230", "the dataset has no splits", hint="--splits FILE")
    bar = Bar(f"preparing {ref}", 1, quiet=session.quiet or session.json)
    try:
        made = release_prepared(
            session.library,
            origin.plan,
            origin.base,
            ref,
            splits,
            workers=workers,
            progress=bar.told,
        )
    finally:
        bar.close()
    findings = quality(session.library, made.version, made.folder)
    report = write_quality_report(made.folder, str(ref), findings)
    _print_released(session, made)
    session.line(f"{len(findings)} findings in {report.relative_to(session.root)}")


def _print_released(session: Session, made: Released) -> None:
    version = made.version
    if session.json:
        session.document(
            {
                "version": version.id,
                "path": str(made.folder),
                "entry": str(made.entry),
                "pin": str(made.pin),
                "content": version.content,
                "files": version.files,
                "bytes": version.bytes,
            }
        )
    session.line(f"{version.id}  {version.content[:12]}  {version.files} files")
    for path in (made.folder, made.pin, made.entry):
        session.line(f"  {path.relative_to(session.root)}")
    session.line("commit the last two to git; `dvc push` sends the bytes to the remote")


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
    from wxreg.runs.releasing import release_folder

    session: Session = ctx.obj
    known = DataRef.parse(like)
    if known.dataset != dataset:
        raise UsageError("REG-230", f"{like} is no version of {dataset}")
    made = release_folder(session.library, DataRef(dataset, name), folder, known)
    _print_released(session, made)


@app.command()
def fetch(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A dataset whose archive has files: hrrr.")],
    folder: Annotated[Path, typer.Argument(help="Where the files go, under the archive's names.")],
    start: Annotated[str, typer.Option(help="The first run, such as 2023-06-01T00:00.")],
    end: Annotated[str, typer.Option(help="The time before which the runs end.")],
    source: Annotated[str, typer.Option(help="The source of the catalog.")] = "sfc",
) -> None:
    """Fetch the files of a range of dates from a public archive; a second call goes on.

    Example: reg data fetch hrrr raw --start 2023-06-01 --end 2023-06-02
    """
    from wxreg.runs.fetching import fetch_files

    session: Session = ctx.obj
    report = fetch_files(session.library, dataset, source, start, end, folder, session.note)
    document = {
        "folder": str(folder),
        "bytes": report.bytes,
        **{outcome: report.named(outcome) for outcome in ("fetched", "there", "missing", "failed")},
    }
    if session.json:
        session.document(document)
    for outcome in ("fetched", "there", "missing", "failed"):
        session.line(f"{len(report.named(outcome)):6d} {outcome}")
    report.check()


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
    from wxreg.runs.data_checks import check_version

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
