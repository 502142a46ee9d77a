"""Opening a database: the engine, its transactions, and the version of its tables."""

from __future__ import annotations

import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from wxreg.errors import Incompatible, UsageError

VERSIONS: Final = ("0001",)
"""Every version of the tables, oldest first; each has a migration of that name."""

WRITE: Final = "wxreg_write"
"""The execution option of a connection whose transactions take the write lock first."""

_LOCK: Final = 0x7778726567
_PATIENCE_S: Final = 60


def database_url(place: str | Path) -> URL:
    """The URL of a ledger given as a path or a URL."""
    if isinstance(place, Path) or "://" not in place:
        return URL.create("sqlite", database=str(place))
    try:
        url = make_url(place)
    except (ArgumentError, ValueError) as error:
        raise UsageError("REG-222", "REG_LEDGER is not a database URL", hint=_URLS) from error
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database:
        return url
    raise UsageError("REG-222", f"no ledger is kept in {url.drivername!r}", hint=_URLS)


_URLS: Final = "give a path, sqlite:///PATH or postgresql://USER@HOST/NAME"


def open_engine(url: URL) -> Engine:
    """An engine whose writing transactions hold the ledger's one write lock."""
    if url.drivername != "sqlite":
        engine = create_engine(url, isolation_level="READ COMMITTED")
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _PATIENCE_S})
    event.listen(engine, "connect", _connect_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def bring_up_to_date(engine: Engine) -> None:
    """Make the tables, or migrate those of an older version; refuse those of a newer one."""
    with engine.connect() as connection:
        if _version(connection) == VERSIONS[-1]:
            return
    with engine.connect().execution_options(**{WRITE: True}) as connection, connection.begin():
        version = _version(connection)
        if version is not None and version not in VERSIONS:
            raise Incompatible(
                "REG-420",
                f"this ledger was written by a newer wxreg (its tables are version {version}, "
                f"this wxreg knows {VERSIONS[-1]})",
                where=engine.url.render_as_string(),
                hint="upgrade wxreg; nothing was changed",
            )
        if version != VERSIONS[-1]:
            _migrate(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    place = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", place.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, VERSIONS[-1])


def _connect_sqlite(raw: sqlite3.Connection, _: Any) -> None:
    raw.isolation_level = None
    # Damaged text must reach verification, which names the place, rather than stop the reading.
    raw.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    _use_wal(raw)
    raw.execute("PRAGMA synchronous = FULL")


def _use_wal(raw: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; SQLite does not wait here when another process does too."""
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            raw.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(WRITE, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
