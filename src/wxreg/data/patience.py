"""Trouble of a network or a server that may go away by itself, and waiting until it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from wxreg.errors import ExternalError

ATTEMPTS: Final = 5
WAIT: Final = 1.0
"""Seconds before the second attempt; doubled each time."""
_ABSENT: Final = (404, 410)
T = TypeVar("T")


def passing(error: BaseException) -> bool:
    """Whether an error may go away by itself; a file that is not there stays so.

    fsspec says "not found" of every answer over HTTP that it could not use; its cause tells.
    """
    import aiohttp

    if isinstance(error, FileNotFoundError):
        return error.__cause__ is not None and passing(error.__cause__)
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status not in _ABSENT
    return isinstance(error, (aiohttp.ClientError, TimeoutError, ConnectionError))


def patiently(job: Callable[[], T], where: str) -> T:
    """The result of a job that reads from afar, tried again while its trouble may pass."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(WAIT * 2 ** (attempt - 1))
        try:
            return job()
        except Exception as error:
            if not passing(error):
                raise
            last = error
    raise ExternalError(
        "REG-730",
        f"reading failed {ATTEMPTS} times: {last.__cause__ or last}",
        where=where,
        hint="run the same command again later: what is done stays done",
    ) from last
