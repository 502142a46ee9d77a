"""When memory runs out: which setting to change, and by how much."""

from __future__ import annotations

import gc
import math
import re
import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch

from wxreg.errors import ExternalError
from wxreg.specs.plan import TrainPlan

_WORDS: Final = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "allocator",
    "can't start new thread",  # its stack found no room
)
_ASKED: Final = re.compile(r"[Tt]ried to allocate ([\d.]+) ?(bytes|[KMG]iB)")
_UNITS: Final = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_UNABLE: Final = re.compile(r"Unable to allocate ([\d.]+) ([KMG]iB)")
_GIB: Final = 1 << 30


@contextmanager
def memory_errors(plan: TrainPlan) -> Iterator[None]:
    """Turn what torch and numpy raise when memory runs out into an error with a remedy."""
    told: ExternalError | None = None
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not any(word in str(error) for word in _WORDS):
            raise
        told = out_of_memory(error, plan)
        traceback.clear_frames(error.__traceback__)  # they hold what filled the memory
    if told is not None:
        gc.collect()
        raise told


def out_of_memory(error: Exception, plan: TrainPlan) -> ExternalError:
    """What to change, and by how much."""
    training = plan.training
    part = training.batch // training.accumulate
    asked = _asked(str(error))
    room = _room()
    cuts = 2 if asked is None or not room else 2 ** max(1, math.ceil(math.log2(asked / room)) + 1)
    fewer = _smaller_part(part, cuts)
    advice = (
        f"--set training.accumulate={training.batch // fewer} computes {fewer} of the "
        f"{training.batch} samples of a batch at once instead of {part}"
        if fewer < part
        else "a step holds one sample already: --set training.tile=… trains on smaller crops"
    )
    recompute = "" if training.recompute else "; --set training.recompute=true forgets activations"
    wanted = "" if asked is None else f": {_shown(asked)} more were asked for"
    free = "" if room is None or asked is None else f", about {_shown(room)} were free"
    return ExternalError(
        "REG-760",
        f"memory ran out in a step of {part} samples{wanted}{free}",
        hint=advice + recompute,
    )


def _shown(size: int) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= _GIB else f"{size / (1 << 20):.1f} MiB"


def _smaller_part(part: int, cuts: int) -> int:
    """The largest divisor of ``part`` that is at most a ``cuts``-th of it, or 1."""
    sizes = (size for size in range(1, part + 1) if part % size == 0)
    return max(size for size in sizes if size == 1 or size * cuts <= part)


def _asked(text: str) -> int | None:
    found = _ASKED.search(text) or _UNABLE.search(text)
    return None if found is None else int(float(found[1]) * _UNITS[found[2]])


def _room() -> int | None:
    """Bytes that were still free: of the GPU, or of what this process may have."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    free = [_system_room(), _limit_room()]
    return min((one for one in free if one is not None), default=None)


def _system_room() -> int | None:
    lines = _lines(Path("/proc/meminfo"))
    return next((int(row.split()[1]) << 10 for row in lines if row.startswith("MemAvail")), None)


def _limit_room() -> int | None:
    """What the limit of this process's address space leaves."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _lines(Path("/proc/self/statm"))
    if limit == resource.RLIM_INFINITY or not pages:
        return None
    return max(0, limit - int(pages[0].split()[0]) * resource.getpagesize())


def _lines(path: Path) -> list[str]:
    """The lines of a system file; none where the system has no such file."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
