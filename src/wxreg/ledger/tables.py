"""The tables, private to the ledger; `records` has the values that leave it.

Long values are canonical JSON text, never a database's own JSON type, so that what is read
is what was written, byte by byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, String, Table, Text
from sqlmodel import Field, SQLModel


class EventRow(SQLModel, table=True):
    """One event of the log."""

    __tablename__ = "events"
    sequence: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    prev: str = Field(unique=True)
    hash: str
    body: str = Field(sa_column=Column(Text, nullable=False))


class RunRow(SQLModel, table=True):
    """One run and its state."""

    __tablename__ = "runs"
    id: str = Field(primary_key=True)
    kind: str
    state: str = Field(index=True)
    plan: str | None = Field(index=True)
    code: str | None
    environment: str | None
    began: str
    ended: str | None
    owner: str = Field(sa_column=Column(Text, nullable=False))
    details: str = Field(sa_column=Column(Text, nullable=False))
    documents: str = Field(sa_column=Column(Text, nullable=False))
    outcome: str = Field(sa_column=Column(Text, nullable=False))


class ArtifactRow(SQLModel, table=True):
    """Bytes at a place."""

    __tablename__ = "artifacts"
    sha256: str = Field(primary_key=True)
    path: str = Field(primary_key=True, index=True)
    kind: str
    bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    created: str
    run: str | None = Field(index=True)
    mtime_ns: int | None = Field(sa_column=Column(BigInteger))
    removed: str | None
    details: str = Field(sa_column=Column(Text, nullable=False))


class EdgeRow(SQLModel, table=True):
    """One edge of the lineage graph."""

    __tablename__ = "edges"
    __table_args__ = (Index("ix_edges_parent", "parent"), {"sqlite_with_rowid": False})
    child: str = Field(primary_key=True)
    parent: str = Field(primary_key=True)
    role: str = Field(primary_key=True)


class DocumentRow(SQLModel, table=True):
    """A long text that runs share, kept under its SHA-256."""

    __tablename__ = "documents"
    sha256: str = Field(primary_key=True)
    text: str = Field(sa_column=Column(Text, nullable=False))


class ForecastRow(SQLModel, table=True):
    """The payload index of one forecast: its Merkle root and a digest of its prefixes."""

    __tablename__ = "forecasts"
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    sha256: str = Field(sa_column=Column(String, nullable=False, unique=True))
    root: str
    fields: int
    prefixes: str


class PayloadRow(SQLModel, table=True):
    """One field of one forecast: the leading 64 bits of its digest, as a signed integer."""

    __tablename__ = "payload"
    __table_args__: Any = {"sqlite_with_rowid": False}
    prefix: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    forecast: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


TABLES: Final[Mapping[str, Table]] = SQLModel.metadata.tables
