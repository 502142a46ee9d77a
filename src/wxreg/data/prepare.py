"""Turn a source into a canonical store: resumable, parallel, with flat memory.

The work is cut into units, one shard file of one variable (or of the two components of a
vector) each.  A unit that is there is whole, since files are replaced in one step; so after a
kill the same plan goes on where it stopped and ends in the same bytes.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zarr

from wxreg.data.prepare_job import Job
from wxreg.data.prepare_plan import PreparePlan, Unit
from wxreg.data.prepare_source import masked_values
from wxreg.data.stores import storage_errors, store_claim
from wxreg.data.target import Target
from wxreg.errors import Conflict, StorageError

__all__ = ["PreparePlan", "PrepareReport", "Target", "prepare", "store_is_current"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PrepareReport:
    """What a preparation did."""

    path: Path
    identity: str
    written: int
    """Shard files written now."""
    kept: int
    """Shard files found whole from an earlier attempt."""
    times: int
    missing_times: tuple[str, ...]
    filled: int
    """Fields that the gap policy filled."""


def store_is_current(path: Path, plan: PreparePlan) -> bool:
    """Whether ``path`` holds a complete store of exactly this plan."""
    claim = store_claim(path)
    return claim is not None and claim.get("identity") == plan.identity()


def prepare(plan: PreparePlan, workers: int = 1, progress: Progress | None = None) -> PrepareReport:
    """Make the store of ``plan``, or go on with it, or find that it is there already."""
    plan.output.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(plan.output):
        job = Job(plan)
        units = job.units()
        if store_is_current(plan.output, plan):
            return _report(job, 0, len(units))
        partial_path = job.partial_path()
        if (store_claim(partial_path) or {}).get("identity") != plan.identity():
            job.create(partial_path)
        _sweep(partial_path)
        todo = [unit for unit in units if not job.done(partial_path, unit)]
        _run(plan, todo, workers, _told(progress, len(units) - len(todo), len(units)))
        _record_masked(plan, partial_path)
        _publish(partial_path, plan.output)
        return _report(job, len(todo), len(units) - len(todo))


def _report(job: Job, written: int, kept: int) -> PrepareReport:
    return PrepareReport(
        path=job.plan.output,
        identity=job.plan.identity(),
        written=written,
        kept=kept,
        times=len(job.moments),
        missing_times=tuple(job.still_missing()),
        filled=job.filled_fields(),
    )


def _told(progress: Progress | None, done: int, total: int) -> Callable[[int], None]:
    def tell(more: int) -> None:
        if progress is not None:
            progress(done + more, total)

    return tell


def _run(plan: PreparePlan, todo: list[Unit], workers: int, tell: Callable[[int], None]) -> None:
    tell(0)
    if workers <= 1 or len(todo) <= 1:
        job = Job(plan)
        for count, unit in enumerate(todo, 1):
            job.write(unit)
            tell(count)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (plan,)) as pool:
        for count, _ in enumerate(pool.map(_work, todo), 1):
            tell(count)


_worker_job: Job | None = None


def _start_worker(plan: PreparePlan) -> None:
    global _worker_job
    _worker_job = Job(plan)


def _work(unit: Unit) -> None:
    assert _worker_job is not None
    _worker_job.write(unit)


def _sweep(path: Path) -> None:
    """Remove what a killed writer left half written."""
    for leftover in path.rglob("*.partial"):
        leftover.unlink()


def _record_masked(plan: PreparePlan, path: Path) -> None:
    """Say in the store how many values the masks took away."""
    if plan.masks:
        with storage_errors(path):
            zarr.open_group(path, mode="r+").attrs["masked"] = masked_values(plan)


def _publish(partial_path: Path, output: Path) -> None:
    with storage_errors(output):
        if output.exists():
            shutil.rmtree(output)
        partial_path.rename(output)


@contextmanager
def _only_one(output: Path) -> Iterator[None]:
    """Hold the store's lock; the operating system gives it back however the process ends."""
    lock = output.with_name(f".{output.name}.lock")
    try:
        stream = lock.open("a")
    except OSError as error:
        raise StorageError("REG-830", f"cannot write here: {error}", where=str(lock)) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "REG-630",
                "another process is preparing this store",
                where=str(output),
                hint="wait for it; the work is then there for both",
            ) from None
        yield
