"""The option ``--device``: a device that cannot be here is refused before torch is loaded."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from wxreg.errors import Incompatible, UsageError

_WORDS: Final = ("auto", "cpu", "cuda", "mps")
_DRIVER: Final = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def _possible(word: str) -> str:
    """The word, where such a device may be here; torch has the last say once it is loaded."""
    if word not in _WORDS:
        raise UsageError("REG-200", f"{word!r} is not one of {', '.join(_WORDS)}", where="--device")
    if (word == "cuda" and not _has_driver()) or (word == "mps" and sys.platform != "darwin"):
        raise Incompatible(
            "REG-460",
            f"there is no {word} device here",
            where="--device",
            hint="leave --device out, or ask for cpu",
        )
    return word


def _has_driver() -> bool:
    """Whether the library of the CUDA driver is installed: torch sees no device without it."""
    import ctypes

    try:
        ctypes.CDLL(_DRIVER)
    except OSError:
        return False
    return True


Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", callback=_possible)]
