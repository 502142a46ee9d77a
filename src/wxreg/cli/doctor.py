"""``reg doctor``: what is here, what is missing, and for what."""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import typer

from wxreg.cli.session import Session
from wxreg.errors import RegError

_NEEDS = (
    ("torch", "training and sampling", "pip install wxreg"),
    ("lightning", "training", "pip install wxreg"),
    ("aurora", "the aurora-* entries", "pip install --no-deps microsoft-aurora==2.0.1"),
    ("dvc", "pulling and pinning data", "pip install wxreg"),
    ("eccodes", "reading GRIB", "pip install wxreg"),
    ("gribberish", "reading GRIB fast", "pip install wxreg"),
    ("numba", "fast scores; without it a slower path gives the same numbers", "pip install numba"),
    ("pysteps", "the optical-flow baseline", "pip install 'wxreg[baselines]'"),
    ("s3fs", "data in S3 buckets", "pip install 'wxreg[s3]'"),
    ("model_signing", "signatures", "pip install 'wxreg[hub]'"),
    ("psycopg", "a team ledger on PostgreSQL", "pip install 'wxreg[postgres]'"),
    ("cfgrib", "cross-checks of GRIB in the tests", "pip install 'wxreg[dev]'"),
)
_DISTRIBUTIONS = {"aurora": "microsoft-aurora", "model_signing": "model-signing"}


def command(ctx: typer.Context) -> None:
    """Print versions, engines, devices, free disk and remotes, and the remedy for what is missing.

    Example: reg doctor
    """
    session: Session = ctx.obj
    packages = [_package(name, purpose, remedy) for name, purpose, remedy in _NEEDS]
    machine = _machine(session)
    if session.json:
        session.document({"machine": machine, "packages": packages})
        return
    session.table(("machine", ""), list(machine.items()))
    session.line()
    session.table(
        ("package", "version", "for", "remedy"),
        [(p["id"], p["version"] or "missing", p["for"], p["remedy"] or "") for p in packages],
    )


def _package(name: str, purpose: str, remedy: str) -> dict[str, str | None]:
    have = None
    if find_spec(name) is not None:
        try:
            have = version(_DISTRIBUTIONS.get(name, name))
        except PackageNotFoundError:
            have = "unknown"
    return {"id": name, "version": have, "for": purpose, "remedy": None if have else remedy}


def _machine(session: Session) -> dict[str, str]:
    from wxreg import __version__

    found = {
        "wxreg": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.machine()}",
        "devices": ", ".join(_devices()),
    }
    try:
        root = session.root
    except RegError as error:
        return {**found, "workspace": f"none: {error.hint}"}
    free = shutil.disk_usage(root).free / 2**30
    return {
        **found,
        "workspace": str(root),
        "free disk": f"{free:.1f} GiB",
        "ledger": _ledger(session),
        "remotes": ", ".join(_remotes(session)) or "none: `dvc remote add` makes one",
    }


def _devices() -> list[str]:
    if find_spec("torch") is None:
        return ["unknown: torch is missing"]
    from wxreg.models.devices import device_names

    return list(device_names())


def _ledger(session: Session) -> str:
    from wxreg.cli.ledgers import ledger_place, opened

    try:
        with opened(session) as ledger:
            return f"{ledger.where} at event {ledger.head().sequence}"
    except RegError as error:
        return f"{ledger_place(session)}: {error.message}"


def _remotes(session: Session) -> list[str]:
    import configparser

    config = configparser.ConfigParser()
    config.read(session.root / ".dvc" / "config")
    return [
        f"{section.split(chr(34))[1]} → {config[section].get('url')}"
        for section in config.sections()
        if section.strip("'").startswith("remote")
    ]
