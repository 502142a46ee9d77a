"""Score parts of an evaluation on the threads of this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial

from dask.threaded import get

from wxreg.runs.evaluating.streams import Streams
from wxreg.runs.evaluating.tally import Tally
from wxreg.runs.evaluating.units import Unit, scored
from wxreg.runs.scoring.bands import HELD_BYTES


def in_threads(streams: Streams, units: Sequence[Unit]) -> Iterator[Tally]:
    """The parts in order, computed by dask's threads, a few at once."""
    width = at_once(streams)
    for first in range(0, len(units), width):
        some = units[first : first + width]
        tasks = {number: (partial(scored, streams, unit),) for number, unit in enumerate(some)}
        yield from get(tasks, list(tasks), num_workers=width)


def at_once(streams: Streams) -> int:
    """As many as may hold a field with all its members: memory does not grow with the cores.

    Of large fields one at a time, as the kernels share its rows among the cores themselves.
    """
    members = max(streams.forecast.members, *(one.members for one in streams.baselines), 1)
    field = 4 * members * streams.forecast.lat.size
    return max(1, min(len(os.sched_getaffinity(0)), HELD_BYTES // max(field, 1)))
