from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from small_world import artifact, fill, sha, start

from wxreg.errors import Conflict, ExternalError, NotFound, StorageError, UsageError
from wxreg.ledger import queries
from wxreg.ledger.owner import is_dead, this_process
from wxreg.ledger.records import Head
from wxreg.ledger.store import Ledger
from wxreg.ledger.verify import verify


def test_a_run_goes_from_begun_to_finished(ledger: Ledger) -> None:
    ledger.begin(start("train-1", data="hrrr"))
    assert queries.run(ledger, "train-1").state == "begun"
    ledger.running("train-1")
    assert queries.run(ledger, "train-1").state == "running"
    ledger.end("train-1", "finished", {"wall_s": 3.5})
    run = queries.run(ledger, "train-1")
    assert run.state == "finished"
    assert run.outcome == {"wall_s": 3.5}
    assert run.ended is not None and run.began < run.ended
    assert queries.document(ledger, run.documents["plan"]) == "plan of train-1"


def test_times_come_from_the_clock_that_was_given(place: str) -> None:
    with Ledger.open(place, clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) as ledger:
        ledger.begin(start("train-1"))
        assert queries.run(ledger, "train-1").began == "2026-01-02T03:04:05.000000+00:00"


def test_a_run_id_is_used_once(ledger: Ledger) -> None:
    ledger.begin(start("train-1"))
    before = ledger.head()
    with pytest.raises(Conflict, match="already"):
        ledger.begin(start("train-1"))
    assert ledger.head() == before


def test_an_ended_run_stays_ended(ledger: Ledger) -> None:
    ledger.begin(start("train-1"))
    ledger.end("train-1", "failed")
    for again in (lambda: ledger.running("train-1"), lambda: ledger.end("train-1", "finished")):
        with pytest.raises(Conflict, match="failed already"):
            again()


def test_unknown_names_are_not_found(ledger: Ledger) -> None:
    fill(ledger)
    with pytest.raises(NotFound) as refused:
        queries.run(ledger, "train-11")
    assert "train-1" in str(refused.value.hint)
    for ask in (
        lambda: ledger.running("sample-9"),
        lambda: ledger.seen(sha("weights"), "elsewhere", 1),
        lambda: queries.document(ledger, sha("nothing")),
        lambda: queries.full_digest(ledger, "ffff%"),
    ):
        with pytest.raises(NotFound):
            ask()


def test_a_value_that_json_has_no_form_for_is_refused_and_nothing_changes(ledger: Ledger) -> None:
    ledger.begin(start("train-1"))
    before = ledger.head()
    with pytest.raises(UsageError, match="cannot write"):
        ledger.end("train-1", "finished", {"loss": float("nan")})
    assert ledger.head() == before
    assert queries.run(ledger, "train-1").state == "begun"


def test_a_finished_run_is_reused_only_when_plan_code_and_environment_match(
    ledger: Ledger,
) -> None:
    fill(ledger)
    plan, code, environment = sha("plan of train-1"), sha("code"), sha("environment")
    found = queries.reusable_run(ledger, plan, code, environment)
    assert found is not None and found.id == "train-1"
    assert queries.reusable_run(ledger, sha("other"), code, environment) is None
    assert queries.reusable_run(ledger, plan, sha("other"), environment) is None
    assert queries.reusable_run(ledger, plan, code, sha("other")) is None
    assert queries.reusable_run(ledger, sha("plan of train-2"), code, environment) is None
    assert [run.id for run in queries.runs_of_plan(ledger, plan)] == ["train-1"]


def test_artifacts_come_back_as_they_went_in(ledger: Ledger) -> None:
    fill(ledger)
    (weights,) = queries.artifacts_of(ledger, sha("weights"))
    expected = replace(artifact("weights", "checkpoint", "train-1"))
    assert weights == replace(expected, mtime_ns=1_795_000_000_999_999_999)
    (export,) = queries.artifacts_at(ledger, "exports/export")
    assert export.removed is not None
    assert queries.full_digest(ledger, sha("weights")[:12]) == sha("weights")


def test_equal_bytes_of_two_runs_are_two_places_of_one_digest(ledger: Ledger) -> None:
    for run in ("train-1", "train-2"):
        ledger.begin(start(run))
        ledger.register(replace(artifact("weights", "checkpoint", run), path=f"runs/{run}/w"))
    assert [found.run for found in queries.artifacts_of(ledger, sha("weights"))] == [
        "train-1",
        "train-2",
    ]


def test_an_ambiguous_beginning_of_a_digest_is_refused_with_the_candidates(
    ledger: Ledger,
) -> None:
    for ending in "01":
        found = replace(artifact("x", "checkpoint"), sha256="ab" * 31 + "c" + ending)
        ledger.register(replace(found, path=ending))
    with pytest.raises(UsageError, match="2 artifacts"):
        queries.full_digest(ledger, "abab")


def test_a_dead_process_is_closed_as_killed_on_the_next_opening(place: str) -> None:
    script = (
        "import os, signal, sys\n"
        "from wxreg.ledger.store import Ledger\n"
        "from wxreg.ledger.records import RunStart\n"
        "ledger = Ledger.open(sys.argv[1])\n"
        "ledger.begin(RunStart('train-1', 'train'))\n"
        "ledger.running('train-1')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, place], check=False)
    with Ledger.open(place) as ledger:
        run = queries.run(ledger, "train-1")
        assert run.state == "killed" and run.ended is not None
        assert verify(ledger).ok


def test_a_living_process_is_left_alone(place: str) -> None:
    with Ledger.open(place) as ledger, Ledger.open(place) as other:
        ledger.begin(start("train-1"))
        assert other.close_dead() == ()
        assert queries.run(other, "train-1").state == "begun"


def test_only_the_same_process_counts_as_alive_and_only_a_known_one_as_dead() -> None:
    me = this_process()
    assert not is_dead(me)
    assert is_dead(replace(me, started="1"))  # the number was given to another process
    assert is_dead(replace(me, pid=2**22 + 1))  # no such process
    assert is_dead(replace(me, boot="before the reboot"))
    assert not is_dead(replace(me, host="another", started="1", boot="theirs"))
    assert not is_dead(replace(me, namespace="pid:[1]", pid=2**22 + 1))  # another container


def test_a_run_of_another_host_on_a_shared_ledger_is_left_open(place: str) -> None:
    theirs = replace(this_process(), host="node-7/abc", pid=1, started="1")
    with Ledger.open(place) as ledger:
        ledger.begin(start("train-1"), owner=theirs)
    with Ledger.open(place) as ledger:
        assert queries.run(ledger, "train-1").state == "begun"


def test_heads_print_and_parse(ledger: Ledger) -> None:
    head = ledger.begin(start("train-1"))
    assert head == ledger.head() == Head.parse(str(head))
    for bad in ("", "3", "x:" + "0" * 64, "3:abc"):
        with pytest.raises(UsageError):
            Head.parse(bad)


def test_places_that_cannot_be_used_are_refused_in_words(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match="mysql"):
        Ledger.open("mysql://host/name")
    with pytest.raises(UsageError, match="not a database URL"):
        Ledger.open("postgresql://host:port/name")
    with pytest.raises(ExternalError) as refused:
        Ledger.open("postgresql://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(refused.value)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        Ledger.open(tmp_path / "file" / "ledger.db")
