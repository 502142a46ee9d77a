"""``reg publish``: weights on the Hub with an honest card."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from wxreg.cli.options import ModelName
from wxreg.cli.session import Session
from wxreg.errors import Conflict, UsageError


def command(
    ctx: typer.Context,
    model: ModelName,
    to: Annotated[str, typer.Option(help="The repository: ORG/NAME.")],
    revision: Annotated[str, typer.Option(help="The branch to release on.")] = "main",
    run: Annotated[
        str | None, typer.Option(help="A training run; else the only one, or the last published.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="A private key (PEM) that signs the lineage.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the folder only; needs --out.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="The folder of a dry run.")] = None,
) -> None:
    """Publish a checkpoint with its card, scores and lineage: one commit, read back, then tagged.

    A token is taken from HF_TOKEN or the Hub's own store. Running the command again is safe.

    Example: reg publish unet-hrrr-v1 --to my-lab/unet-hrrr
    """
    session: Session = ctx.obj
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", to):
        raise UsageError("REG-200", f"{to!r} is not ORG/NAME", where="--to")
    if dry_run != (out is not None):
        raise UsageError("REG-290", "--dry-run and --out DIR belong together")
    document = _publish(session, model, to, revision, run, key, out)
    if session.json:
        session.document(document)
    session.line(f"repo    {document['repo']} ({document['revision']})")
    session.line(f"commit  {document['commit'] or 'none: a dry run'}")
    session.line(f"tag     {document['tag'] or 'none'}")
    session.line(f"files   {len(document['files'])}{f' in {out}' if out else ', all read back'}")


def _publish(
    session: Session,
    model: str,
    to: str,
    revision: str,
    run: str | None,
    key: Path | None,
    out: Path | None,
) -> dict[str, Any]:
    from wxreg.artifacts.hub import Repository
    from wxreg.cli.ledgers import opened
    from wxreg.publish.choosing import choose_training
    from wxreg.publish.evidence import gather
    from wxreg.publish.publishing import publish
    from wxreg.publish.release import build_release

    with opened(session) as ledger:
        choice = choose_training(ledger, model, run)
        if choice.ground == "newest":
            which = ", ".join([choice.run.id, *choice.others])
            what = f"{model} has several finished trainings and none was published yet: {which}"
            raise Conflict("REG-684", what, hint="say which: --run RUN")
        evidence = gather(session.library, ledger, model, choice.run.id)
        if out is not None:
            release = build_release(session.library, ledger, evidence, out, key, to)
            files = [{"path": file.path, "sha256": file.sha256} for file in release.files]
            return {"repo": to, "revision": revision, "commit": None, "tag": None, "files": files}
        with tempfile.TemporaryDirectory(prefix="reg-release-") as place:
            folder = Path(place) / "release"
            release = build_release(session.library, ledger, evidence, folder, key, to)
            return publish(ledger, evidence, release, Repository(to, revision)).as_json()
