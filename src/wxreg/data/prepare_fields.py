"""Reading the fields of one unit of a preparation: a few times at once, on their target cells."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import xarray as xr

from wxreg.data.clock import moment_text
from wxreg.data.patience import patiently
from wxreg.data.prepare_plan import Unit
from wxreg.data.target import Fields, Placement
from wxreg.errors import IntegrityError

_BATCH_BYTES: Final = 32 * 2**20


class UnitFields:
    """The placed fields of a unit's variables, decoded a few times at once."""

    def __init__(self, source: xr.Dataset, placement: Placement, unit: Unit, location: str) -> None:
        self.source, self.placement, self.unit = source, placement, unit
        self.location = location
        self.pair = (unit.names[0], unit.names[1]) if len(unit.names) == 2 else None
        cells = int(np.prod(source[unit.names[0]].shape[1:]))
        self.batch = max(1, _BATCH_BYTES // (4 * cells))
        self.kept: dict[int, Fields] = {}

    def constant(self) -> Fields:
        """The fields of variables without a time axis."""
        raw = {name: self.source[name].values for name in self.unit.names}
        return self.placement.apply(raw, self.pair)

    def field(self, name: str, position: int) -> Any:
        """The field of one variable at a position of the time axis."""
        if position not in self.kept:
            self._load(position)
        return self.kept[position][name]

    def _load(self, position: int) -> None:
        inside = self.unit.start <= position < self.unit.stop
        stop = min(position + self.batch, self.unit.stop) if inside else position + 1
        chosen = self.source[list(self.unit.names)].isel(time=slice(position, stop))
        raw = self._computed(chosen, position)
        while len(self.kept) > self.batch:
            del self.kept[next(iter(self.kept))]
        for i in range(stop - position):
            one = {name: raw[name].values[i] for name in self.unit.names}
            self.kept[position + i] = self.placement.apply(one, self.pair)

    def _computed(self, chosen: xr.Dataset, position: int) -> xr.Dataset:
        """The values; what a decoder says of damaged bytes becomes an error that names the time."""
        try:
            return patiently(lambda: chosen.compute(scheduler="synchronous"), self.location)
        except (OSError, ValueError, RuntimeError) as error:
            if chosen.sizes["time"] > 1:  # find the first time that cannot be read
                for i in range(chosen.sizes["time"]):
                    self._computed(chosen.isel(time=slice(i, i + 1)), position + i)
            moment = moment_text(chosen["time"].values[0])
            raise IntegrityError(
                "REG-530",
                f"{', '.join(self.unit.names)} cannot be read at {moment}: {error}",
                where=self.location,
                hint="fetch that part of the source again",
            ) from error
