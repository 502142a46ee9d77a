"""Databases written by earlier versions open for ever, with all that they knew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from wxreg.ledger import queries
from wxreg.ledger.lineage import ancestors, forecasts_holding
from wxreg.ledger.records import Head
from wxreg.ledger.store import Ledger
from wxreg.ledger.verify import verify

HEADS = {
    "0001": "16:2e1bd472edfd7bdeecfb382e9e1288d294260f087400f74d6aceb2b1304e7315",
}


def test_every_old_database_is_tested() -> None:
    found = {
        path.stem.removeprefix("ledger-") for path in Path(__file__).parent.glob("ledger-*.db")
    }
    assert found == set(HEADS)


@pytest.mark.parametrize("version", HEADS)
def test_an_old_database_opens_and_its_history_holds(tmp_path: Path, version: str) -> None:
    place = tmp_path / "ledger.db"
    shutil.copy(Path(__file__).with_name(f"ledger-{version}.db"), place)
    with Ledger.open(place) as ledger:
        assert verify(ledger, [Head.parse(HEADS[version])]).findings == ()
        states = {run.id: run.state for run in queries.runs(ledger)}
        assert states == {"train-1": "finished", "sample-1": "finished", "train-2": "failed"}
        (forecast,) = queries.artifacts(ledger, kind="forecast")
        assert len(ancestors(ledger, forecast.sha256)) == 7
        prefix = int("87bb043454dadf6c", 16)
        assert forecasts_holding(ledger, [prefix]).full[0].sha256 == forecast.sha256
        run = queries.run(ledger, "train-1")
        assert queries.document(ledger, run.documents["plan"]) == "plan of train-1"
