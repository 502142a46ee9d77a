"""Every ledger test runs on SQLite, and on PostgreSQL where REG_TEST_POSTGRES names a server."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from wxreg.ledger.schema import database_url
from wxreg.ledger.store import Ledger

Sql = Callable[..., list[Any]]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a ledger that nobody else uses."""
    if request.param == "sqlite":
        yield str(tmp_path / "a folder" / "ledger.db")
        return
    server = os.environ.get("REG_TEST_POSTGRES")
    if not server:
        pytest.skip("REG_TEST_POSTGRES names no server; `make test-postgres` starts one")
    name = f"reg_{secrets.token_hex(6)}"
    url = database_url(server)
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    with Ledger.open(place) as opened:
        yield opened


@pytest.fixture
def sql(place: str) -> Iterator[Sql]:
    """Run SQL behind the ledger's back."""
    engine = create_engine(database_url(place))

    def run(statement: str, **values: Any) -> list[Any]:
        with engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []

    yield run
    engine.dispose()
