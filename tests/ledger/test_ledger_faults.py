from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_world import fill, start

from wxreg.errors import IntegrityError, StorageError
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger
from wxreg.ledger.verify import verify

RUN_MANY = Path(__file__).with_name("run_many.py")


def process(place: str, name: str, count: int) -> subprocess.Popen[str]:
    words = [sys.executable, str(RUN_MANY), place, name, str(count)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def all_at_once(place: str, processes: int, runs: int) -> None:
    workers = [process(place, f"worker{number}", runs) for number in range(processes)]
    for worker in workers:
        worker.communicate()
        assert worker.returncode == 0
    with Ledger.open(place) as ledger:
        finished = {run.id for run in queries.runs(ledger, state="finished")}
        expected = {f"worker{w}-{r}" for w in range(processes) for r in range(runs)}
        assert finished == expected
        assert len(queries.artifacts(ledger)) == processes * runs
        assert ledger.head().sequence == 4 * processes * runs
        assert verify(ledger).ok


def test_eight_processes_at_once_lose_nothing(place: str) -> None:
    all_at_once(place, processes=8, runs=25)


@pytest.mark.slow
def test_processes_that_make_the_ledger_together_do_not_disturb_each_other(
    tmp_path: Path,
) -> None:
    """Switching a new database to write-ahead logging is where SQLite itself does not wait."""
    for turn in range(15):
        workers = [process(str(tmp_path / f"{turn}.db"), f"w{side}", 1) for side in range(6)]
        for worker in workers:
            worker.communicate()
        assert [worker.returncode for worker in workers] == [0] * 6


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_eight_processes_of_two_hundred_runs_lose_nothing(place: str) -> None:
    all_at_once(place, processes=8, runs=200)


def test_a_kill_at_any_moment_loses_nothing_that_was_accepted(place: str) -> None:
    """Two writers at a time are killed at random moments; what they printed must be there."""
    chosen = random.Random(2)
    accepted: set[str] = set()
    for turn in range(4):
        workers = [process(place, f"turn{turn}-{side}", 10_000) for side in "ab"]
        for worker in workers:
            assert worker.stdout is not None
            accepted.add(worker.stdout.readline().strip())
        time.sleep(chosen.uniform(0.0, 0.3))
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
            assert worker.stdout is not None
            accepted.update(line.strip() for line in worker.stdout if line.endswith("\n"))
            worker.wait()
            worker.stdout.close()
        with Ledger.open(place) as ledger:
            assert verify(ledger).findings == ()
            states = {run.id: run.state for run in queries.runs(ledger)}
            assert {states.get(run) for run in accepted} == {"finished"}
            assert set(states.values()) <= {"finished", "killed"}


@contextmanager
def no_file_larger_than(limit: int) -> Iterator[None]:
    """The kernel itself refuses to let a file grow, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


def fill_until_refused(ledger: Ledger) -> StorageError:
    with pytest.raises(StorageError) as refused:
        for number in range(1000):
            ledger.begin(start(f"big-{number}", kind="x" * 20_000))
    return refused.value


def test_a_full_disk_is_a_storage_error_and_leaves_the_previous_state(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    with Ledger.open(place) as ledger:
        fill(ledger)
        with no_file_larger_than(600_000):
            error = fill_until_refused(ledger)
        assert error.exit_code == 8 and "room" in str(error)
    with Ledger.open(place) as ledger:
        assert verify(ledger).ok
        recorded = len(queries.runs(ledger))
        ledger.begin(start("after"))
        assert len(queries.runs(ledger)) == recorded + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny disk needs root")
def test_a_really_full_disk_is_a_storage_error_and_leaves_the_previous_state(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        with Ledger.open(disk / "ledger.db") as ledger:
            fill(ledger)
            before = ledger.head()
            fill_until_refused(ledger)
            assert verify(ledger, [before]).ok
        with Ledger.open(disk / "ledger.db") as ledger:
            assert verify(ledger, [before]).ok
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    place.write_bytes(b"GRIB" * 4096)
    with pytest.raises(IntegrityError, match="damaged"):
        Ledger.open(place)
    assert place.read_bytes() == b"GRIB" * 4096


def test_a_truncated_database_is_an_integrity_error_or_found_by_verify(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    with Ledger.open(place) as ledger:
        fill(ledger)
    with sqlite3.connect(place) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = place.read_bytes()
    for part in (0.3, 0.6, 0.9):
        place.write_bytes(content[: int(len(content) * part)])
        try:
            with Ledger(place) as ledger:
                assert not verify(ledger).ok
        except IntegrityError:
            continue


def test_opening_and_appending_stays_cheap(place: str) -> None:
    """A command that records one thing must not wait for the database."""
    Ledger.open(place).close()
    began = time.process_time()
    with Ledger.open(place) as ledger:
        ledger.begin(start("train-1"))
    assert time.process_time() - began < 0.5
