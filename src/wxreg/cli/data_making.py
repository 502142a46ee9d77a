"""What ``reg data prepare`` and ``reg data add`` do once their options are read."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wxreg.cli.session import Session
from wxreg.errors import UsageError
from wxreg.ids import DataRef

if TYPE_CHECKING:
    from wxreg.runs.datasets.origins import Cut, Origin
    from wxreg.runs.datasets.releasing import Released

_REGION: Final = "south, west, north, east: --region 38,-104,41,-99"


def prepare_view(session: Session, ref: DataRef, view: str, workers: int) -> None:
    """Make the store of one view of a version, and its quality report."""
    from wxreg.artifacts.layout import Layout
    from wxreg.runs.datasets.data_checks import quality, write_quality_report
    from wxreg.runs.datasets.preparing import fetched_version, prepare_plan, prepared
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


def cut(
    session: Session,
    what: str,
    variable: list[str] | None,
    level: list[float] | None,
    start: str | None,
    end: str | None,
    region: str | None,
) -> Cut:
    """Which part of a source or version the options ask for."""
    from wxreg.runs.datasets.origins import Cut
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
        raise UsageError("REG-230", f"{text!r} is no region", hint=_REGION) from error
    if not (-90 <= south < north <= 90 and isfinite(west) and isfinite(east)):
        why = f"the south of the region {text} must lie below its north, both in -90..90"
        raise UsageError("REG-230", why, hint=_REGION)
    return south, west, north, east


def origin(
    session: Session, what: str, source: str | None, cut: Cut, parameters: list[str]
) -> Origin:
    """Where the values of a new version come from."""
    from wxreg.runs.datasets.origins import from_source, from_version
    from wxreg.runs.datasets.preparing import fetched_version

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
    pairs = parameter_pairs(parameters)
    return from_source(session.library, what, source, cut, pairs)


def parameter_pairs(texts: Sequence[str]) -> dict[str, str]:
    """The NAME=VALUE parameters of a source."""
    return dict(_pair(text) for text in texts)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError("REG-230", f"{text!r} is no parameter", hint="--parameter NAME=VALUE")
    return name, value


def make_version(
    session: Session, origin: Origin, ref: DataRef, file: Path | None, workers: int
) -> None:
    """Prepare, pin and describe a new version."""
    from wxreg.runs.datasets.data_checks import quality, write_quality_report
    from wxreg.runs.datasets.releasing import release_prepared, splits_of
    from wxreg.runs.progress import Bar

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
    print_released(session, made)
    session.line(f"{len(findings)} findings in {report.relative_to(session.root)}")


def print_released(session: Session, made: Released) -> None:
    """Say what a new version is and where it lies."""
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
