from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from small_world import fill
from sqlmodel import SQLModel

from wxreg.errors import Incompatible
from wxreg.ledger import migrations
from wxreg.ledger.schema import VERSIONS
from wxreg.ledger.store import Ledger


def test_the_migrations_make_exactly_the_tables_of_today(ledger: Ledger) -> None:
    with ledger.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    assert differences == []


def test_every_version_has_one_migration_and_they_form_a_line() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(str(migrations.__file__)).parent))
    scripts = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(scripts)) == VERSIONS


def test_opening_again_changes_nothing(place: str) -> None:
    with Ledger.open(place) as ledger:
        fill(ledger)
        head = ledger.head()
    with Ledger.open(place) as ledger:
        assert ledger.head() == head


def test_a_ledger_of_a_newer_version_is_refused_in_a_plain_sentence(place, sql) -> None:
    with Ledger.open(place) as ledger:
        fill(ledger)
        head = ledger.head()
    sql("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(Incompatible) as refused:
        Ledger.open(place)
    assert refused.value.code == "REG-420"
    assert "newer wxreg" in refused.value.message and "0099" in refused.value.message
    ((number,),) = sql("SELECT max(sequence) FROM events")
    assert number == head.sequence
