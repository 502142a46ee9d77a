"""Two checkpoints or two forecasts: the first part that differs, and by how much at most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wxreg.artifacts.checkpoint_file import RawTensor, read_checkpoint, weights_digest
from wxreg.data.forecast_files import open_forecast
from wxreg.data.forecast_index import FieldEntry, read_index

Difference = dict[str, Any]
"""``layer``, or ``variable``, ``init``, ``lead``, ``member`` …; then ``why``, or ``largest`` (in
the values' own units), ``relative`` (to their spread) and ``parts``, how many parts differ."""
_TINY = 1e-30


def compare_checkpoints(one: Path, two: Path) -> Difference | None:
    """The first layer whose bits differ, with the largest difference; none if all are equal."""
    old, new = read_checkpoint(one).tensors, read_checkpoint(two).tensors
    if weights_digest(old) == weights_digest(new):
        return None
    differing = []
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            return {"layer": name, "why": "only one of the two has it"}
        if (old[name].shape, old[name].dtype) != (new[name].shape, new[name].dtype):
            return {"layer": name, "why": f"{old[name].shape} against {new[name].shape}"}
        if old[name].data != new[name].data:
            differing.append((name, *_layer(old[name], new[name])))
    return {"layer": differing[0][0], **_worst([(a, b) for _, a, b in differing])}


def compare_forecasts(one: Path, two: Path) -> Difference | None:
    """The first field whose digest differs, with the largest difference; none if all agree."""
    old = {entry.place(): entry for entry in read_index(one)}
    new = {entry.place(): entry for entry in read_index(two)}
    for place in sorted(old.keys() ^ new.keys()):
        entry = old.get(place) or new[place]
        return {**_named(entry), "why": "only one of the two has it"}
    differing = [old[place] for place in sorted(old) if old[place].digest != new[place].digest]
    if not differing:
        return None
    with open_forecast(one) as a, open_forecast(two) as b:
        scales = {name: max(float(a[name].std()), _TINY) for name in a.data_vars}
        sizes = [
            _size(_field(a, entry), _field(b, entry), scales[entry.variable]) for entry in differing
        ]
    return {**_named(differing[0]), **_worst(sizes)}


def _named(entry: FieldEntry) -> Difference:
    """What a field is of; times in seconds."""
    level = {} if entry.level is None else {"level": entry.level}
    segment = {"segment": entry.segment} if entry.segment else {}
    return {
        "variable": entry.variable,
        "init": entry.init,
        "lead": entry.lead,
        "member": entry.member,
        **level,
        **segment,
    }


def _field(opened: Any, entry: FieldEntry) -> NDArray[np.float64]:
    """One field of an open forecast."""
    inits = opened["init_time"].values.astype("datetime64[s]").astype(np.int64)
    here = inits == entry.init
    if "segment" in opened.coords:
        here &= opened["segment"].values == entry.segment
    leads = opened["lead_time"].values.astype("timedelta64[s]").astype(np.int64)
    array = opened[entry.variable].isel(
        init_time=int(np.flatnonzero(here)[0]),
        lead_time=int(np.flatnonzero(leads == entry.lead)[0]),
        member=entry.member,
    )
    if entry.level is not None:
        array = array.sel(level=entry.level)
    return np.asarray(array.values, np.float64)


def _layer(old: RawTensor, new: RawTensor) -> tuple[float, float]:
    one, two = old.numpy().astype(np.float64), new.numpy().astype(np.float64)
    return _size(one, two, max(float(np.abs(one).max(initial=0)), _TINY))


def _size(one: NDArray[np.float64], two: NDArray[np.float64], scale: float) -> tuple[float, float]:
    """The largest difference in the values' own units, and over their scale.

    Where one value is missing or infinite and the other is not, no tolerance helps.
    """
    unlike = ~((one == two) | (np.isnan(one) & np.isnan(two)))
    largest = float(np.abs(one[unlike] - two[unlike]).max(initial=0.0))
    if not np.isfinite(largest):
        largest = float(np.finfo(np.float64).max)
        return largest, largest
    return largest, largest / scale


def _worst(sizes: list[tuple[float, float]]) -> Difference:
    """The largest difference of all; the relative one decides."""
    largest, relative = max(sizes, key=lambda size: size[1])
    return {"largest": largest, "relative": relative, "parts": len(sizes)}
