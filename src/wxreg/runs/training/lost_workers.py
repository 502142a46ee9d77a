"""A process that loads data and is killed is told of wherever the training is at that moment.

torch raises a plain RuntimeError from a signal handler: while a batch is awaited, but as well amid
gradients or in the write of a resume point.  A batch that waits already is lost with the process
that holds its memory: its connection breaks before the signal comes.  So the whole training is
watched.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wxreg.errors import ExternalError
from wxreg.runs.training.module import TrainingModule

_TOLD_BY_TORCH: Final = "DataLoader worker (pid"
_TAKING_A_BATCH: Final = "_try_get_data"


@contextmanager
def lost_workers(module: TrainingModule) -> Iterator[None]:
    """Turn what a killed worker leads to into an error with a remedy."""
    try:
        yield
    except (RuntimeError, OSError, EOFError) as error:
        if not _is_of_a_worker(error):
            raise
        raise ExternalError(
            "REG-730",
            f"after {module.step} steps a process that loads data ended: {error}",
            hint="the system kills them when memory runs out: ask for fewer --workers; "
            "the last resume point is kept, go on with --resume",
        ) from error


def _is_of_a_worker(error: Exception) -> bool:
    if isinstance(error, RuntimeError):
        return _TOLD_BY_TORCH in str(error)
    return any(frame.name == _TAKING_A_BATCH for frame in traceback.extract_tb(error.__traceback__))
