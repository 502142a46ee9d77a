from __future__ import annotations

import random
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import fill, sha, start

from wxreg.ledger import queries
from wxreg.ledger.log import chain_faults, event_hash, next_event, parsed
from wxreg.ledger.records import GENESIS, Event, Head
from wxreg.ledger.store import Ledger
from wxreg.ledger.verify import verify

JSON = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)


def chain(bodies: list[dict]) -> list[Event]:
    events: list[Event] = []
    head = Head()
    for body in bodies:
        event = next_event(head, "note", "2026", body)
        events.append(event)
        head = Head(event.sequence, event.hash)
    return events


def test_the_text_of_an_event_never_changes() -> None:
    event = next_event(Head(), "run-running", "2026-01-01T00:00:00+00:00", {"id": "train-1"})
    assert event.body == (
        '{"at":"2026-01-01T00:00:00+00:00","data":{"id":"train-1"},"format":1,'
        f'"kind":"run-running","prev":"{GENESIS}","sequence":1}}'
    )
    assert event.hash == "c67b0af36ad6ac83e8f7a83c8838341241dc33f6385a684a74961e1a2c906172"


@given(st.lists(JSON, min_size=1, max_size=8))
def test_an_untouched_chain_holds(bodies: list[dict]) -> None:
    events = chain(bodies)
    assert list(chain_faults(events)) == []
    assert [event.sequence for event in events] == list(range(1, len(bodies) + 1))


@given(st.lists(JSON, min_size=1, max_size=6), st.data())
def test_any_flipped_byte_is_located(bodies: list[dict], data: st.DataObject) -> None:
    events = chain(bodies)
    at = data.draw(st.integers(0, len(events) - 1))
    column = data.draw(st.sampled_from(["body", "hash", "prev"]))
    raw = bytearray(getattr(events[at], column).encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = {**events[at].__dict__, column: raw.decode("utf-8", "surrogateescape")}
    events[at] = Event(**damaged)
    found = [finding.where for finding in chain_faults(events)]
    assert found[0] == f"event {at + 1}"


@given(st.lists(JSON, min_size=3, max_size=6), st.data())
def test_a_removed_or_moved_event_is_located(bodies: list[dict], data: st.DataObject) -> None:
    events = chain(bodies)
    at = data.draw(st.integers(0, len(events) - 2))
    shortened = events[:at] + events[at + 1 :]
    assert next(chain_faults(shortened)).where == f"event {at + 2}"
    swapped = [*events[:at], events[at + 1], events[at], *events[at + 2 :]]
    assert list(chain_faults(swapped))


def test_a_whole_ledger_verifies_and_still_holds_every_earlier_head(ledger: Ledger) -> None:
    heads = [ledger.head(), ledger.begin(start("train-0"))]
    fill(ledger)
    result = verify(ledger, [*heads, ledger.head()])
    assert result.findings == ()
    assert result.head == ledger.head()


@pytest.mark.parametrize("column", ["body", "hash", "prev"])
def test_a_flipped_byte_in_any_event_row_is_found_and_located(ledger, sql, column) -> None:
    fill(ledger)
    count = ledger.head().sequence
    chosen = random.Random(column)
    for sequence in range(1, count + 1):
        ((text,),) = sql(f"SELECT {column} FROM events WHERE sequence = :s", s=sequence)
        place = chosen.randrange(len(text))
        flipped = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        sql(f"UPDATE events SET {column} = :t WHERE sequence = :s", t=flipped, s=sequence)
        where = {finding.where for finding in verify(ledger).findings}
        assert f"event {sequence}" in where
        sql(f"UPDATE events SET {column} = :t WHERE sequence = :s", t=text, s=sequence)
    assert verify(ledger).ok


def test_a_changed_sequence_number_is_found(ledger, sql) -> None:
    fill(ledger)
    sql("UPDATE events SET sequence = 900 WHERE sequence = 3")
    assert {"event 4", "event 900"} <= {finding.where for finding in verify(ledger).findings}


def test_a_flipped_bit_anywhere_in_the_text_on_disk_is_located(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    with Ledger.open(whole) as ledger:
        fill(ledger)
        events = queries.events(ledger)
    with sqlite3.connect(whole) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    chosen = random.Random(7)
    for event in events:
        content = bytearray(whole.read_bytes())
        offset = content.find(event.body.encode()[:200])
        assert offset > 0
        content[offset + chosen.randrange(200)] ^= 1 << chosen.randrange(8)
        damaged = tmp_path / "damaged.db"
        damaged.write_bytes(content)
        with Ledger(damaged) as ledger:
            where = {finding.where for finding in verify(ledger).findings}
        assert f"event {event.sequence}" in where
        damaged.unlink()
        shutil.rmtree(tmp_path / "damaged.db-wal", ignore_errors=True)


EDITS = [
    ("UPDATE runs SET plan = 'x' WHERE id = 'train-1'", "runs train-1"),
    ("UPDATE runs SET state = 'finished' WHERE id = 'train-2'", "runs train-2"),
    ("UPDATE runs SET details = '{}' WHERE id = 'train-1'", "runs train-1"),
    ("DELETE FROM runs WHERE id = 'sample-1'", "runs sample-1"),
    ("UPDATE artifacts SET mtime_ns = 1 WHERE kind = 'checkpoint'", "artifacts"),
    ("UPDATE artifacts SET path = 'elsewhere' WHERE kind = 'forecast'", "artifacts"),
    ("DELETE FROM artifacts WHERE kind = 'dataset'", "artifacts"),
    ("UPDATE edges SET role = 'x' WHERE role = 'checkpoint'", "edges"),
    ("DELETE FROM edges WHERE role = 'output'", "edges"),
    ("INSERT INTO edges (child, parent, role) VALUES ('a', 'b', 'c')", "edges a b c"),
    ("UPDATE documents SET text = text || ' '", "documents"),
    ("DELETE FROM documents", "documents"),
    ("INSERT INTO documents (sha256, text) VALUES ('ab', 'x')", "documents ab"),
    ("UPDATE forecasts SET root = 'x'", "forecasts 1"),
    ("DELETE FROM forecasts", "forecasts 1"),
    ("UPDATE payload SET prefix = 5 WHERE prefix = (SELECT min(prefix) FROM payload)", "payload 1"),
    ("DELETE FROM payload WHERE prefix = (SELECT max(prefix) FROM payload)", "payload 1"),
    ("DELETE FROM payload", "payload 1"),
    ("INSERT INTO payload (prefix, forecast) VALUES (7, 1)", "payload 1"),
    ("INSERT INTO payload (prefix, forecast) VALUES (7, 2)", "payload 2"),
]


@pytest.mark.parametrize(("edit", "where"), EDITS)
def test_an_edited_or_deleted_row_of_any_table_is_found(ledger, sql, edit, where) -> None:
    fill(ledger)
    sql(edit)
    places = [finding.where for finding in verify(ledger).findings]
    assert any(place.startswith(where) for place in places), places


def test_lost_newest_events_are_found_against_a_head_printed_earlier(ledger, sql) -> None:
    """Someone removes the last run and every trace of it, so that all that is left agrees."""
    fill(ledger)
    kept = ledger.head()
    ledger.begin(start("train-9"))
    printed = ledger.head()
    sql("DELETE FROM events WHERE sequence > :s", s=kept.sequence)
    sql("DELETE FROM runs WHERE id = 'train-9'")
    sql("DELETE FROM documents WHERE text = 'plan of train-9'")
    assert verify(ledger, [kept]).ok
    (found,) = verify(ledger, [kept, printed]).findings
    assert found.code == "REG-522"
    assert found.where == f"event {printed.sequence}"


def test_a_rewritten_tail_is_found_against_a_head_printed_earlier(ledger, sql) -> None:
    fill(ledger)
    kept = ledger.head()
    printed = ledger.begin(start("train-9"))
    sql("DELETE FROM events WHERE sequence > :s", s=kept.sequence)
    sql("DELETE FROM runs WHERE id = 'train-9'")
    sql("DELETE FROM documents WHERE text = 'plan of train-9'")
    ledger.begin(start("train-8"))
    assert verify(ledger).ok
    assert [finding.code for finding in verify(ledger, [printed]).findings] == ["REG-522"]


def test_an_event_with_a_valid_hash_but_no_meaning_is_reported(ledger, sql) -> None:
    fill(ledger)
    forged = next_event(ledger.head(), "run-running", "2026", {"id": "nobody"})
    sql("INSERT INTO events (sequence, prev, hash, body) VALUES (:sequence, :prev, :hash, :body)",
        **forged.__dict__)  # fmt: skip
    (found,) = verify(ledger).findings
    assert found.where == f"event {forged.sequence}"


def test_events_hold_the_merkle_root_and_no_field_prefix(ledger: Ledger) -> None:
    fill(ledger)
    (indexed,) = [e for e in queries.events(ledger) if parsed(e)["kind"] == "forecast-indexed"]
    data = parsed(indexed)["data"]
    assert data["root"] == sha("root")
    assert len(indexed.body) < 600


def test_two_events_cannot_follow_the_same_one(ledger, sql) -> None:
    fill(ledger)
    first = queries.events(ledger, limit=1)[0]
    with pytest.raises(Exception, match=r"(?i)unique"):
        sql("INSERT INTO events (sequence, prev, hash, body) VALUES (999, :prev, 'x', 'y')",
            prev=first.prev)  # fmt: skip
    assert event_hash(first.body) == first.hash


def test_a_clock_that_was_set_back_is_told_and_breaks_nothing(place: str) -> None:
    times = iter([datetime(2026, 5, 2, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)])
    with Ledger.open(place, clock=lambda: next(times)) as ledger:
        ledger.begin(start("train-1"))
        ledger.running("train-1")
        result = verify(ledger)
    assert result.ok
    assert [(f.severity, f.where) for f in result.findings] == [("warning", "event 2")]
