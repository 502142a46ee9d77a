"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    _events()
    _runs()
    _artifacts()
    _edges()
    _documents()
    _payload()


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("prev", sa.String, nullable=False, unique=True),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("plan", sa.String),
        sa.Column("code", sa.String),
        sa.Column("environment", sa.String),
        sa.Column("began", sa.String, nullable=False),
        sa.Column("ended", sa.String),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("documents", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
    )
    op.create_index("ix_runs_state", "runs", ["state"])
    op.create_index("ix_runs_plan", "runs", ["plan"])


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("sha256", sa.String, primary_key=True),
        sa.Column("path", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created", sa.String, nullable=False),
        sa.Column("run", sa.String),
        sa.Column("mtime_ns", sa.BigInteger),
        sa.Column("removed", sa.String),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.create_index("ix_artifacts_path", "artifacts", ["path"])
    op.create_index("ix_artifacts_run", "artifacts", ["run"])


def _edges() -> None:
    op.create_table(
        "edges",
        sa.Column("child", sa.String, primary_key=True),
        sa.Column("parent", sa.String, primary_key=True),
        sa.Column("role", sa.String, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_edges_parent", "edges", ["parent"])


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("sha256", sa.String, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )


def _payload() -> None:
    op.create_table(
        "forecasts",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String, nullable=False, unique=True),
        sa.Column("root", sa.String, nullable=False),
        sa.Column("fields", sa.Integer, nullable=False),
        sa.Column("prefixes", sa.String, nullable=False),
    )
    op.create_table(
        "payload",
        sa.Column("prefix", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("forecast", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
