"""`sevir@mini-1`: CATALOG.csv and HDF5 files of (event, row, column, frame)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from wxreg.data.embedded.places import LATLON_PROJ, SEVIR_PROJ, project
from wxreg.data.embedded.sevir_events import Event, draw_events
from wxreg.data.embedded.sevir_images import (
    FRAMES,
    LIGHTNING_SIDE,
    SIDE_M,
    SIZES,
    flashes,
    image_frames,
)
from wxreg.data.embedded.weather import World

COLUMNS = (
    "id", "file_name", "file_index", "img_type", "time_utc", "minute_offsets", "episode_id",
    "event_id", "event_type", "llcrnrlat", "llcrnrlon", "urcrnrlat", "urcrnrlon", "proj",
    "size_x", "size_y", "height_m", "width_m", "data_min", "data_max", "pct_missing",
)  # fmt: skip
_PROJ = "+proj=laea +lat_0=38 +lon_0=-98 +units=m +a=6370997.0 +ellps=sphere"
_SUMMER = np.datetime64("2019-07-01")
_FILES = {
    "storm": ("STORMEVENTS_2019_0101_0630", "STORMEVENTS_2019_0701_1231"),
    "random": ("RANDOMEVENTS_2019_0501_0731", "RANDOMEVENTS_2019_0501_0731"),
    "broken": ("STORMEVENTS_2019_0715_0731", "STORMEVENTS_2019_0715_0731"),
}
BROKEN_KEEPS = 0.6
"""Share of its bytes that the damaged file keeps."""
VISIBLE_EVENTS = 6


@dataclass(frozen=True)
class Image:
    """One event of one image type, ready to be written."""

    event: Event
    kind: str
    values: NDArray[Any]


def write_sevir(out: Path) -> Iterator[str]:
    """Write the catalogue and its files under `out/sevir/mini-1`; yields what is done."""
    world, root = World(), out / "sevir" / "mini-1"
    events = draw_events(world)
    rows: list[dict[str, object]] = []
    for kind in (*SIZES, "lght"):
        for name, chosen in _by_file(kind, events).items():
            images = [Image(event, kind, event_values(world, event, kind)) for event in chosen]
            _write_file(root / "data" / name, images)
            rows += [catalogue_row(image, name, index) for index, image in enumerate(images)]
            if chosen[0].kind == "broken":
                _truncate(root / "data" / name)
    _write_catalogue(root / "CATALOG.csv", rows)
    yield "sevir@mini-1"


def event_values(world: World, event: Event, kind: str) -> NDArray[Any]:
    """Return what the file holds of one event: frames, or the list of flashes."""
    return flashes(world, event) if kind == "lght" else image_frames(world, event, kind)


def _by_file(kind: str, events: list[Event]) -> dict[str, list[Event]]:
    """Return the events of one image type by the file they go to."""
    files: dict[str, list[Event]] = {}
    chosen = [e for e in events if kind in ("vil", "ir069", "ir107", "lght") or e.kind == "storm"]
    if kind == "vis":
        chosen = chosen[:VISIBLE_EVENTS]
    if kind != "vil":
        chosen = [e for e in chosen if e.kind != "broken"]
    for event in chosen:
        files.setdefault(file_name(kind, event), []).append(event)
    return files


def file_name(kind: str, event: Event) -> str:
    """Return the file of an event, as the catalogue names it."""
    if kind == "lght":
        month = np.datetime_as_string(event.time, unit="M")[5:]
        following = f"{int(month) + 1:02d}"
        return f"lght/2019/SEVIR_LGHT_ALLEVENTS_2019_{month}01_{following}01.h5"
    early, late = _FILES[event.kind]
    stem = early if event.time < _SUMMER else late
    return f"{kind}/2019/SEVIR_{kind.upper()}_{stem}.h5"


def _write_file(path: Path, images: list[Image]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        if images[0].kind == "lght":
            for image in images:
                file.create_dataset(
                    image.event.id, data=image.values.astype(np.float32), compression="gzip"
                )
            return
        file.create_dataset("id", data=np.array([i.event.id.encode() for i in images]))
        stack = np.stack([image.values for image in images])
        file.create_dataset(
            images[0].kind, data=stack, chunks=(1, *stack.shape[1:]),
            compression="gzip", compression_opts=9, shuffle=stack.dtype.itemsize > 1,
        )  # fmt: skip


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: int(BROKEN_KEEPS * path.stat().st_size)])


def catalogue_row(image: Image, name: str, index: int) -> dict[str, object]:
    """Return the catalogue's row of one event and image type."""
    event, side = image.event, SIZES.get(image.kind, LIGHTNING_SIDE)
    first = -120 + event.delays[image.kind]
    corner_lon, corner_lat = _lonlat(event.x, event.y)
    far_lon, far_lat = _lonlat(event.x + SIDE_M, event.y + SIDE_M)
    return {
        "id": event.id,
        "file_name": name,
        "file_index": index,
        "img_type": image.kind,
        "time_utc": np.datetime_as_string(event.time, unit="s").replace("T", " "),
        "minute_offsets": ":".join(str(first + 5 * frame) for frame in range(FRAMES)),
        "episode_id": event.episode,
        "event_id": event.id[1:] if event.kind != "random" else "",
        "event_type": event.event_type,
        "llcrnrlat": corner_lat,
        "llcrnrlon": corner_lon,
        "urcrnrlat": far_lat,
        "urcrnrlon": far_lon,
        "proj": _PROJ,
        "size_x": side,
        "size_y": side,
        "height_m": SIDE_M,
        "width_m": SIDE_M,
        **_range(image),
    }


def _range(image: Image) -> dict[str, object]:
    if image.kind == "lght":
        return {"data_min": "", "data_max": "", "pct_missing": 0.0}
    missing = image.values == 255 if image.kind == "vil" else np.zeros(image.values.shape, bool)
    real = image.values[~missing]
    if real.size == 0:
        return {"data_min": "", "data_max": "", "pct_missing": 1.0}
    return {
        "data_min": int(real.min()),
        "data_max": int(real.max()),
        "pct_missing": round(float(missing.mean()), 9),
    }


def _lonlat(x: float, y: float) -> tuple[float, float]:
    lon, lat = project(SEVIR_PROJ, LATLON_PROJ, np.asarray(x), np.asarray(y))
    return round(float(lon), 8), round(float(lat), 8)


def _write_catalogue(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
