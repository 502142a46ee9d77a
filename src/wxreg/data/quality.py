"""The quality report of a canonical store: what a person should know before using it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from wxreg.data.clock import moments_of
from wxreg.data.moments import Moments
from wxreg.data.stores import open_store
from wxreg.errors import IntegrityError
from wxreg.findings import Finding
from wxreg.specs.licence import Licence
from wxreg.specs.variables import Variable

_SHOWN: Final = 3
_DEWPOINT_SLACK: Final = 0.1
_COMMON_SENTINELS: Final = (-9999.0, -999.0, 9999.0, 9.999e20)


@dataclass(frozen=True)
class _Seen:
    """What one pass saw of one variable."""

    moments: Moments
    cells: int
    outside: int
    worst: float
    sentinels: tuple[float, ...]
    frozen: tuple[str, ...]
    """Times whose field equals the one before."""


def quality_findings(
    path: Path, lexicon: Mapping[str, Variable], licence: Licence | None = None
) -> list[Finding]:
    """Everything worth knowing of the store at ``path``, most severe first."""
    opened = open_store(path)
    moments = moments_of(opened["time"].values) if "time" in opened.coords else []
    found = [*_gaps(opened, path, len(moments)), *_left_out(opened, path), *_masked(opened, path)]
    for name in map(str, opened.data_vars):
        found += _of_variable(
            path, name, lexicon[name], _look(path, opened, lexicon[name], moments)
        )
    found += _dewpoint(path, opened, moments)
    if licence is not None and not licence.commercial:
        found.append(
            Finding(
                "info",
                "REG-430",
                str(path),
                f"{licence.name}: no commercial use",
                "say so wherever results are shown",
            )
        )
    return sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.severity))


def _gaps(opened: xr.Dataset, path: Path, total: int) -> Iterator[Finding]:
    missing = list(opened.attrs.get("missing_times", []))
    if missing:
        yield Finding(
            "warning",
            "REG-432",
            str(path),
            f"{len(missing)} of {total} times are missing: {_first(missing)}",
            "windows leave them out; or choose another gap policy",
        )
    for name, lacking in opened.attrs.get("missing_fields", {}).items():
        yield Finding(
            "warning",
            "REG-432",
            f"{path}: {name}",
            f"{len(lacking)} more times lack this variable: {_first(lacking)}",
            "leave the variable out, or expect masks",
        )


def _left_out(opened: xr.Dataset, path: Path) -> Iterator[Finding]:
    """What the source lists and the store has not."""
    for why, count in opened.attrs.get("left_out", {}).items():
        if count:
            yield Finding(
                "warning" if "damaged" in why else "info",
                "REG-432",
                str(path),
                f"left out, {why}: {count}",
                "fetch damaged files again; `reg data prepare` tries a changed file anew",
            )


def _masked(opened: xr.Dataset, path: Path) -> Iterator[Finding]:
    """What the catalog's masks took away when the store was made."""
    for name, count in opened.attrs.get("masked", {}).items():
        yield Finding(
            "info",
            "REG-430",
            f"{path}: {name}",
            f"{count:,} values of the source were made missing by a rule of the catalog",
            "the rule says why; masks carry them through training and scores",
        )


def _first(items: list[str] | tuple[str, ...]) -> str:
    return ", ".join(items[:_SHOWN]) + (" …" if len(items) > _SHOWN else "")


def _look(path: Path, opened: xr.Dataset, variable: Variable, moments: list[str]) -> _Seen:
    array: Any = zarr.open_group(path, mode="r")[variable.id]
    moving = "time" in opened[variable.id].dims
    total, outside, worst = Moments(), 0, 0.0
    before: NDArray[Any] | None = None
    frozen: list[str] = []
    sentinels: set[float] = set()
    low, high = (np.nan if bound is None else bound for bound in variable.range)
    for i, values in enumerate(_fields(array, path) if moving else [np.asarray(array[...])]):
        total = total.merged(Moments.of(values))
        beyond = (values < low) | (values > high)
        if beyond.any():
            outside += int(beyond.sum())
            extreme = values[beyond]
            worst = max([worst, *map(float, (extreme.min(), extreme.max()))], key=abs)
            sentinels |= {s for s in _COMMON_SENTINELS if np.isclose(extreme, s).any()}
        if before is not None and np.array_equal(before, values) and np.ptp(values) > 0:
            frozen.append(moments[i])
        before = values
    return _Seen(total, int(np.prod(array.shape)), outside, worst, tuple(sentinels), tuple(frozen))


def _fields(array: Any, path: Path) -> Iterator[NDArray[np.float32]]:
    """The fields of every time, some at once."""
    step = max(1, (32 * 2**20) // (4 * int(np.prod(array.shape[1:]))))
    for start in range(0, array.shape[0], step):
        try:
            block = np.asarray(array[start : start + step])
        except (OSError, ValueError, RuntimeError) as error:
            what = f"the store is damaged: {error}"
            raise IntegrityError("REG-530", what, where=f"{path}/{array.path}") from error
        yield from block


def _of_variable(path: Path, name: str, variable: Variable, seen: _Seen) -> Iterator[Finding]:
    where = f"{path}: {name}"
    if not seen.moments.count:
        yield Finding("error", "REG-432", where, "has no value at all", "leave it out")
        return
    if seen.sentinels:
        shown = ", ".join(f"{value:g}" for value in seen.sentinels)
        yield Finding(
            "error",
            "REG-430",
            where,
            f"holds what looks like a sentinel: {shown}",
            "declare it under `sentinels` in the catalog",
        )
    if seen.outside:
        share = seen.outside / seen.moments.count
        units = share > 0.5 and not seen.sentinels
        yield Finding(
            "error" if units else "warning",
            "REG-430",
            where,
            f"{seen.outside:,} values ({share:.2%}) lie outside {variable.range} "
            f"{variable.units}, the worst is {seen.worst:g}",
            "the declared units look wrong" if units else "look at these times and places",
        )
    if seen.frozen:
        yield Finding(
            "warning",
            "REG-430",
            where,
            f"{len(seen.frozen)} fields equal the one before: {_first(seen.frozen)}",
            "a stuck source repeats itself",
        )
    lost = 1 - seen.moments.count / seen.cells
    if lost > 0:
        yield Finding(
            "info",
            "REG-432",
            where,
            f"{lost:.2%} of its values are missing",
            "masks carry them through training and scores",
        )


def _dewpoint(path: Path, opened: xr.Dataset, moments: list[str]) -> Iterator[Finding]:
    """Times at which the dewpoint lies above the temperature."""
    if not {"t2m", "d2m"} <= set(opened.data_vars):
        return
    group: Any = zarr.open_group(path, mode="r")
    pairs = zip(_fields(group["t2m"], path), _fields(group["d2m"], path), strict=True)
    above = [moments[i] for i, (t, d) in enumerate(pairs) if (d > t + _DEWPOINT_SLACK).any()]
    if above:
        yield Finding(
            "warning",
            "REG-430",
            f"{path}: d2m",
            f"above t2m at {len(above)} times: {_first(above)}",
            "mask d2m there (HRRR has such values at f00)",
        )
