"""Alembic migrations of the ledger's tables; they never touch the text of an event."""
