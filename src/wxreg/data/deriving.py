"""Derived variables on an open source: computed lazily from what was read, before placement.

Values at one place and time come from the source's own cells; winds are turned to earth-relative
first.  A running sum stays on the source's time axis and covers the window that ends at its
time.  A sum or extreme of a day covers one UTC day and is stamped at the beginning of that day,
as daily archives are.  A window that lacks a step is missing, never shorter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.data import grids
from wxreg.data.clock import moment_keys, moments_of, shifted
from wxreg.data.derived import DAILY, WINDOWED, formula
from wxreg.data.reading import ReadRequest
from wxreg.data.stores import encode_times
from wxreg.errors import Incompatible
from wxreg.specs.variables import Derivation, Variable

_DAY: Final = 86_400
_ORDER: Final = ("time", "level", "y", "x")


def derive(source: xr.Dataset, request: ReadRequest, wanted: Sequence[str]) -> xr.Dataset:
    """The wanted variables of a source: read as they are, or derived from what was read."""
    if set(wanted) <= set(source.data_vars):
        return source[list(wanted)]
    days = [name for name in wanted if _is_daily(name, source, request)]
    work = _Derivations(source, request)
    if not days:
        made = {name: work.found(name) for name in wanted}
        return source.drop_vars(list(source.data_vars)).assign(made).assign_attrs(work.gaps(wanted))
    return work.of_days(wanted, days)


def _is_daily(name: str, source: xr.Dataset, request: ReadRequest) -> bool:
    derivation = request.lexicon[name].derived
    return name not in source.data_vars and derivation is not None and derivation.formula in DAILY


@dataclass(frozen=True)
class _Windows:
    """Positions on the source's axis of the last step of each window, and which are whole."""

    ends: NDArray[np.int64]
    steps: int
    whole: NDArray[np.bool_]

    def stacked(self, values: xr.DataArray) -> Any:
        """All steps of every window, stacked along a new first axis; NaN where not whole."""
        data = da.asarray(values.data)  # type: ignore[no-untyped-call]
        back = np.arange(self.steps - 1, -1, -1)
        index = np.maximum(self.ends[:, None] - back, 0)
        steps = [data[index[:, step]] for step in range(self.steps)]
        whole = self.whole.reshape(-1, *[1] * (values.ndim - 1))
        steps[-1] = da.where(whole, steps[-1], np.float32(np.nan))
        return da.stack(steps)  # type: ignore[no-untyped-call]


class _Derivations:
    """Everything that can be derived from one open source."""

    def __init__(self, source: xr.Dataset, request: ReadRequest) -> None:
        self.source, self.request = source, request
        self.lexicon: Mapping[str, Variable] = request.lexicon
        self.made: dict[str, xr.DataArray] = {str(n): source[n] for n in source.data_vars}
        self.missing: dict[str, set[str]] = {
            name: set(moments) for name, moments in source.attrs.get("missing_fields", {}).items()
        }
        moving = "time" in source.coords
        self.moments = moment_keys(source)
        self.seconds = encode_times(source["time"].values)[0] if moving else np.empty(0, np.int64)
        segments = source.coords.get("segment")
        self.segments = np.zeros(len(self.seconds)) if segments is None else segments.values

    def found(self, name: str) -> xr.DataArray:
        """A variable on the source's own time axis."""
        if name not in self.made:
            derivation = self._derivation(name)
            if derivation.formula in DAILY:
                raise _mixed(name, "other steps than days")
            windowed = derivation.formula in WINDOWED
            made = self._running(name) if windowed else self._pointwise(name, derivation)
            self.made[name] = made
        return self.made[name]

    def _derivation(self, name: str) -> Derivation:
        derivation = self.lexicon[name].derived
        if derivation is None:
            raise Incompatible(
                "REG-433",
                f"{name} is neither read nor derived",
                where=self.request.location,
                hint="map it in the catalog's variable table, or leave it out of the view",
            )
        return derivation

    def gaps(self, names: Sequence[str]) -> dict[str, Any]:
        """The gaps of those variables as attributes of a source."""
        gone = {name: sorted(self.missing[name]) for name in names if self.missing.get(name)}
        return {"missing_fields": gone}

    def _pointwise(self, name: str, derivation: Derivation) -> xr.DataArray:
        inputs = [self._turned(part) for part in derivation.inputs]
        self._same_cells(name, inputs)
        gone = [self.missing.get(part, set()) for part in derivation.inputs]
        self.missing[name] = set().union(*gone)
        values = formula(derivation.formula)(*inputs)
        present = [dim for dim in _ORDER if dim in values.dims]
        return xr.DataArray(values.astype("float32").transpose(*present))

    def _same_cells(self, name: str, inputs: list[xr.DataArray]) -> None:
        if any(values.dims[-2:] != ("y", "x") for values in inputs):
            raise Incompatible(
                "REG-433",
                f"{name} needs inputs on the common cells of the source",
                where=self.request.location,
            )

    def _turned(self, name: str) -> xr.DataArray:
        """An input with earth-relative winds, in the source's row order."""
        values, variable = self.found(name), self.lexicon[name]
        if variable.vector is None or self.source.attrs["winds"] == "earth-relative":
            return values
        if variable.partner not in self.made or self.request.grid is None:
            raise Incompatible(
                "REG-430",
                f"{name} is relative to the grid and cannot be turned",
                where=self.request.location,
                hint=f"read {variable.partner} as well, and describe the grid",
            )
        partner = self.made[variable.partner]
        u, v = (values, partner) if variable.vector == "x" else (partner, values)
        east, north = grids.to_earth(cast(Any, u), cast(Any, v), self.request.grid)
        return xr.DataArray(east if variable.vector == "x" else north)

    def _running(self, name: str) -> xr.DataArray:
        derivation = self._derivation(name)
        ends = np.arange(len(self.seconds))
        values, whole = self._over(name, ends)
        self.missing[name] = {self.moments[i] for i in np.flatnonzero(~whole)}
        return self.found(derivation.inputs[0]).copy(data=values)

    def _over(self, name: str, ends: NDArray[np.int64]) -> tuple[Any, NDArray[np.bool_]]:
        """A formula over the windows that end at those positions, and which windows are whole."""
        derivation = self._derivation(name)
        (part,) = derivation.inputs
        values = self.found(part)
        steps = self._steps(name, derivation)
        windows = _Windows(ends, steps, self._whole(part, ends, steps))
        made = formula(derivation.formula)(windows.stacked(values)).astype("float32")
        return made, windows.whole

    def _steps(self, name: str, derivation: Derivation) -> int:
        cadence = self.request.time.cadence
        span = derivation.window.seconds if derivation.window else _DAY
        if span < cadence.seconds or span % cadence.seconds:
            raise Incompatible(
                "REG-433",
                f"{name} covers {span // 60} minutes, which steps of {cadence} do not fill",
                where=self.request.location,
            )
        return span // cadence.seconds

    def _whole(self, part: str, ends: NDArray[np.int64], steps: int) -> NDArray[np.bool_]:
        """Whether every step of a window is on the axis, in one segment and not missing."""
        absent = set(self.source.attrs["missing_times"]) | self.missing.get(part, set())
        lost = np.cumsum([0, *(moment in absent for moment in self.moments)])
        first = ends - (steps - 1)
        start = np.maximum(first, 0)
        span = (steps - 1) * self.request.time.cadence.seconds
        regular = self.seconds[ends] - self.seconds[start] == span
        together = self.segments[ends] == self.segments[start]
        return np.asarray((first >= 0) & regular & together & (lost[ends + 1] == lost[start]))

    def of_days(self, wanted: Sequence[str], days: Sequence[str]) -> xr.Dataset:
        """A dataset whose steps are UTC days, each stamped at its beginning."""
        made: dict[str, xr.DataArray] = {}
        for name in wanted:
            made[name] = self._day(name) if name in days else self._static(name)
        common = xr.align(*(made[name] for name in days), join="inner")
        made |= dict(zip(days, common, strict=True))
        empty = self.source.drop_vars([*self.source.data_vars, "time"])
        empty = empty.drop_vars([name for name in ("segment",) if name in empty.coords])
        return empty.assign(made).assign_attrs({"missing_times": [], **self.gaps(wanted)})

    def _static(self, name: str) -> xr.DataArray:
        values = self.found(name)
        if "time" in values.dims:
            raise _mixed(name, "days")
        return values

    def _day(self, name: str) -> xr.DataArray:
        (part,) = self._derivation(name).inputs
        late = self._closes(part)
        steps = self._steps(name, self._derivation(name))
        length = 0 if late else self.request.time.cadence.seconds
        ends = np.flatnonzero((self.seconds + length) % _DAY == 0)
        ends = ends[ends >= steps - 1]
        values, whole = self._over(name, ends)
        times = shifted(self.source["time"].values[ends], length - _DAY)
        self.missing[name] = {moments_of(times)[i] for i in np.flatnonzero(~whole)}
        return xr.DataArray(values, {"time": times}, self.found(part).dims)

    def _closes(self, part: str) -> bool:
        """Whether a step stamped at midnight belongs to the day that ends then."""
        stamp = self.request.time.stamp
        spans = self.lexicon[part].kind not in ("instant", "static")
        return stamp == "period-end" or (stamp == "instant" and spans)


def _mixed(name: str, axis: str) -> Incompatible:
    return Incompatible(
        "REG-433",
        f"{name} does not fit into a store whose steps are {axis}",
        hint="put it into a view of its own",
    )
