"""Score parts of an evaluation on the workers of a dask cluster.

A worker opens the same files at the same paths and sends back the states of a part as plain
arrays; they are merged here in order, so the numbers are those of one machine.  Dask moves the
parts of a worker that is lost to another.  Its own protocol trusts whoever reaches the scheduler.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import dask.config
from safetensors.numpy import load, save

from wxreg.errors import ExternalError, Incompatible
from wxreg.library.loading import Library
from wxreg.runs.evaluating.asked import Evaluation
from wxreg.runs.evaluating.plan import evaluation_plan, opened
from wxreg.runs.evaluating.streams import Streams
from wxreg.runs.evaluating.tally import Tally, from_arrays, to_arrays
from wxreg.runs.evaluating.units import Unit, scored

if TYPE_CHECKING:
    from distributed import Client, Future

_CONNECT_SECONDS: Final = 5
_WORKER_SECONDS: Final = 15
"""How long a cluster may have no worker."""
_OPENING: Final = Lock()
_OPENED: Final[dict[tuple[Path, str], Streams]] = {}


@dataclass(frozen=True)
class Job:
    """What a worker needs to open an evaluation."""

    root: Path
    """The workspace."""
    asked: Evaluation
    plan: str
    """The digest of the plan, which a worker must come to as well."""


def on_cluster(address: str, job: Job, units: Sequence[Unit]) -> Iterator[Tally]:
    """The parts in order; two for each thread of the cluster are under way at once."""
    with _connected(address) as client:
        _require_worker(client, address)
        width = 2 * sum(client.nthreads().values())
        waiting: deque[Future] = deque()
        for unit in units:
            waiting.append(client.submit(scored_there, job, unit, pure=False))
            if len(waiting) >= width:
                yield _arrived(client, address, waiting.popleft())
        while waiting:
            yield _arrived(client, address, waiting.popleft())


def scored_there(job: Job, unit: Unit) -> bytes:
    """One part, on a worker."""
    with dask.config.set(scheduler="threads"):  # what is lazy must not wait for this very worker
        return save(to_arrays(scored(_streams(job), unit)))


def _streams(job: Job) -> Streams:
    """What a worker reads, opened once for all parts of an evaluation."""
    with _OPENING:
        key = (job.root, job.plan)
        if key not in _OPENED:
            _OPENED.clear()
            _OPENED[key] = _opened(job)
        return _OPENED[key]


def _opened(job: Job) -> Streams:
    if not job.root.is_dir() or not job.asked.forecast.is_dir():
        raise ExternalError(
            "REG-761",
            "a worker of the cluster does not see the workspace and the forecast",
            where=str(job.asked.forecast),
            hint="workers need the same files at the same paths, on a shared file system",
        )
    library = Library(job.root)
    streams = opened(library, job.asked)
    if evaluation_plan(library, job.asked, streams).digest() != job.plan:
        raise Incompatible(
            "REG-465",
            "a worker of the cluster comes to another plan",
            where=str(job.root),
            hint="workers need the same version of wxreg and the same files of the registry",
        )
    return streams


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ExternalError(
            "REG-761",
            "a cluster needs the package distributed",
            hint="pip install 'wxreg[cluster]', or leave --scheduler away",
        ) from error
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExternalError(
            "REG-761",
            f"no dask scheduler answers at {address}",
            hint="start one with `dask scheduler` and `dask worker`; an address is like "
            "tcp://HOST:8786. Without --scheduler this machine computes",
        ) from error
    with client:
        yield client


def _require_worker(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError as error:
        raise ExternalError(
            "REG-761",
            f"the cluster at {address} has no workers",
            hint=f"start some with `dask worker {address}` and call again: what was done is kept",
        ) from error


def _arrived(client: Client, address: str, future: Future) -> Tally:
    """The states of a part; waits as long as the cluster has workers."""
    from distributed import CancelledError, KilledWorker, wait

    while True:
        try:
            with client.as_current():
                wait(future, timeout=_WORKER_SECONDS)
            data: Any = future.result()
            return from_arrays(load(data))
        except TimeoutError:
            _require_worker(client, address)
        except (KilledWorker, CancelledError, OSError) as error:
            raise ExternalError(
                "REG-761",
                f"the cluster at {address} failed: {type(error).__name__}: {error}",
                hint="look at the logs of its workers and call again: what was done is kept",
            ) from error
