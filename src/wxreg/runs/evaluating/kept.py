"""The parts of an evaluation that are done, kept so that one that was killed goes on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from wxreg.artifacts.sealing import writing_file
from wxreg.errors import IntegrityError
from wxreg.runs.evaluating.tally import Tally, from_arrays, to_arrays

_EVERY: Final = 64
"""So many files of single parts become one of all parts so far."""
_NAME: Final = re.compile(r"(part|through)-(\d+)\.safetensors")


class KeptParts:
    """A folder with one file for each part since the last file of all parts.

    Parts are merged in the same order whether or not an evaluation was killed, so its numbers
    are the same to the last bit.  Without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def tally(self) -> Tally:
        """Everything that was kept."""
        through = self._files("through")
        tally = _read(through[max(through)]) if through else Tally()
        parts = self._files("part")
        while tally.done + 1 in parts:
            tally.merge(_read(parts[tally.done + 1]))
        return tally

    def add(self, part: Tally, tally: Tally) -> None:
        """Keep the part that was merged into the tally last."""
        if self._folder is None:
            return
        if tally.done % _EVERY:
            _write(self._folder / f"part-{tally.done:08d}.safetensors", part)
            return
        _write(self._folder / f"through-{tally.done:08d}.safetensors", tally)
        for kind in ("part", "through"):
            for number, file in self._files(kind).items():
                if number < tally.done:
                    file.unlink()

    def forget(self) -> None:
        """Remove everything that was kept."""
        if self._folder is not None and self._folder.exists():
            shutil.rmtree(self._folder)

    def _files(self, kind: str) -> dict[int, Path]:
        if self._folder is None or not self._folder.is_dir():
            return {}
        found = ((_NAME.fullmatch(file.name), file) for file in self._folder.iterdir())
        return {int(match[2]): file for match, file in found if match and match[1] == kind}


def _write(path: Path, tally: Tally) -> None:
    with writing_file(path) as aside:
        save_file(to_arrays(tally), aside)


def _read(path: Path) -> Tally:
    try:
        return from_arrays(load_file(path))
    except (SafetensorError, KeyError, ValueError) as error:
        raise IntegrityError(
            "REG-536",
            f"what an evaluation kept is damaged: {error}",
            where=str(path),
            hint="remove its folder; the evaluation then begins again",
        ) from error
