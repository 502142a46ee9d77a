"""SEVIR in the layout of its public bucket: a catalogue and HDF5 files by image type and year.

Each event is one segment of 49 frames.  Image types of one event are aligned by their minute
offsets; events that lack a wanted type, or whose file is damaged, are left out and counted in
``attrs["left_out"]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from wxreg.data.clock import moment_text
from wxreg.data.lazy import field_stack
from wxreg.data.readers.sevir_catalogue import EventRow, parse_catalogue
from wxreg.data.readers.sevir_files import (
    CADENCE_MINUTES,
    LIGHTNING_METRES,
    EventPlace,
    SevirArchive,
    decode_image,
    decode_vil,
    event_codes,
    event_lightning,
)
from wxreg.data.reading import ReadRequest
from wxreg.data.values import to_canonical
from wxreg.errors import Incompatible, IntegrityError, NotFound
from wxreg.specs.variables import ArraySelector, Variable, VariableEntry

_SCALES: Final = {"sevir-infrared": 1e-2, "sevir-visible": 1e-4}
_FRAME_MINUTES: Final = tuple(range(-120, 121, CADENCE_MINUTES))


@dataclass(frozen=True)
class _Image:
    """One wanted variable and the events that have it."""

    entry: VariableEntry
    variable: Variable
    selector: ArraySelector
    rows: Mapping[str, EventRow]

    @property
    def lightning(self) -> bool:
        return self.selector.decode == "sevir-lightning"


@dataclass(frozen=True)
class _Frame:
    """One frame of one event: a place on the time axis."""

    event: str
    segment: int
    offset: int
    """Minutes relative to the time of the event."""
    time: np.datetime64
    offsets: tuple[int, ...]
    """Those of all frames of the event."""


class Sevir:
    """Reads the layout ``sevir-hdf5``."""

    semantics: ClassVar[int] = 1

    def open(self, request: ReadRequest) -> xr.Dataset:
        """The lazy dataset of every event that has all wanted image types."""
        archive = SevirArchive(
            request.location, dict(request.storage_options), request.damage_record
        )
        catalogue = parse_catalogue(archive.catalogue(), archive.root)
        images = [_image(request, entry, catalogue.events) for entry in request.entries]
        events, left_out = _complete(images, archive, request)
        frames = _frames(images[0], events)
        made = xr.Dataset(
            coords={
                "time": np.array([frame.time for frame in frames], "datetime64[ns]"),
                "segment": ("time", np.array([frame.segment for frame in frames], np.int32)),
            },
            attrs={
                "rows": "south-to-north",
                "winds": "earth-relative",
                "missing_times": [],
                "missing_fields": {},
                "events": events,
                "left_out": left_out,
                "catalogue_damage": list(catalogue.damage),
            },
        )
        return _with_fields(
            made,
            images,
            frames,
            archive,
            _common_cells(images, events[0], archive, request.cell_limit),
        )


def _image(request: ReadRequest, entry: VariableEntry, events: Any) -> _Image:
    if entry.hdf5 is None:
        raise Incompatible("REG-437", f"{entry.id} has no HDF5 selector", where=request.location)
    return _Image(entry, request.variable(entry), entry.hdf5, events(entry.hdf5.name))


def _complete(
    images: list[_Image], archive: SevirArchive, request: ReadRequest
) -> tuple[list[str], dict[str, int]]:
    """Events by time that have every image in a sound file; how many were left out and why."""
    known = {row.id: row for image in images for row in image.rows.values()}
    chosen = {
        event: row for event, row in known.items() if _asked_for(moment_text(row.time), request)
    }
    whole = [event for event in chosen if all(event in image.rows for image in images)]
    files = sorted({image.rows[event].file for event in whole for image in images})
    damaged = archive.damaged(files)
    opened = [e for e in whole if not any(image.rows[e].file in damaged for image in images)]
    broken = {place[3] for place in archive.damaged_events(_places(images, opened))}
    sound = [event for event in opened if event not in broken]
    if not sound:
        raise NotFound(
            "REG-335",
            f"no event has all of {', '.join(image.entry.id for image in images)}",
            where=request.location,
            hint="; ".join(f"{name}: {why}" for name, why in damaged.items()) or None,
        )
    left_out = {
        "lacks an image type": len(chosen) - len(whole),
        "in a damaged file": len(whole) - len(opened),
        "damaged files": len(damaged),
        "damaged events": len(broken),
    }
    return sorted(sound, key=lambda event: (known[event].time, event)), left_out


def _places(images: list[_Image], events: list[str]) -> Iterator[EventPlace]:
    """Where the images of those events lie; lightning is a list of its own, and small."""
    for image in images:
        if not image.lightning:
            for event in events:
                row = image.rows[event]
                yield row.file, image.selector.name, row.index, row.id


def _asked_for(moment: str, request: ReadRequest) -> bool:
    return request.times is None or request.times[0] <= moment < request.times[1]


def _frames(first: _Image, events: list[str]) -> list[_Frame]:
    """The frames of the events, at the times that the first variable has them."""
    return [
        _Frame(event, segment, offset, row.time + np.timedelta64(offset, "m"), offsets)
        for segment, event in enumerate(events)
        for row in (first.rows[event],)
        for offsets in (row.offsets or _FRAME_MINUTES,)
        for offset in offsets
    ]


@dataclass(frozen=True)
class _Read:
    """Reads one frame of one variable; pickles, so that workers can have it."""

    image: _Image
    frames: tuple[_Frame, ...]
    archive: SevirArchive

    def __call__(self, position: int) -> NDArray[np.float32]:
        frame = self.frames[position]
        row = self.image.rows[frame.event]
        values = self._values(row, frame)
        return to_canonical(values, self.image.entry, self.image.variable)

    def _values(self, row: EventRow, frame: _Frame) -> NDArray[np.float32]:
        selector = self.image.selector
        if self.image.lightning:
            counts = event_lightning(
                self.archive, row.file, row.id, frame.offsets, _lightning_cells(row)
            )
            return np.asarray(counts[:, :, frame.offsets.index(frame.offset)], np.float32)
        codes = event_codes(self.archive, row.file, selector.name, row.index, row.id)
        nearest = _nearest(row.offsets, frame.offset)
        if nearest is None:
            return np.full(codes.shape[:2], np.nan, np.float32)
        return _decode(selector, codes[:, :, nearest], row.file)


def _nearest(offsets: tuple[int, ...], wanted: int) -> int | None:
    """The frame whose minute is nearest; None where none is within half a step."""
    place = int(np.argmin(np.abs(np.asarray(offsets) - wanted)))
    return place if abs(offsets[place] - wanted) * 2 <= CADENCE_MINUTES else None


def _decode(selector: ArraySelector, codes: NDArray[Any], where: str) -> NDArray[np.float32]:
    if selector.decode == "sevir-vil":
        return decode_vil(codes)
    if selector.decode in _SCALES:
        return decode_image(codes, _SCALES[selector.decode])
    raise Incompatible(
        "REG-437",
        f"SEVIR has no decoding {selector.decode!r}",
        where=where,
        hint=f"known: sevir-vil, {', '.join(_SCALES)}, sevir-lightning",
    )


def _cells(image: _Image, event: str, archive: SevirArchive) -> tuple[int, int]:
    """Rows and columns of one image type."""
    row = image.rows[event]
    if image.lightning:
        return _lightning_cells(row), _lightning_cells(row)
    with archive.open(row.file) as opened:
        shape = opened[image.selector.name].shape
    if len(shape) != 4:
        raise IntegrityError(
            "REG-536",
            f"{image.selector.name} has the shape {shape}; expected (event, row, column, frame)",
            where=archive.path(row.file),
        )
    return int(shape[1]), int(shape[2])


def _lightning_cells(row: EventRow) -> int:
    return round(row.side / LIGHTNING_METRES)


def _common_cells(
    images: list[_Image], event: str, archive: SevirArchive, limit: int
) -> tuple[int, int]:
    """The cells of the store: those of VIL where it is wanted, else of the finest type."""
    sizes = {image.entry.id: _cells(image, event, archive) for image in images}
    for size in sizes.values():
        if size[0] * size[1] > limit:
            raise IntegrityError(
                "REG-536", f"a frame claims {size[0]} × {size[1]} cells", where=archive.root
            )
    return sizes.get("vil", max(sizes.values()))


def _with_fields(
    made: xr.Dataset,
    images: list[_Image],
    frames: list[_Frame],
    archive: SevirArchive,
    common: tuple[int, int],
) -> xr.Dataset:
    """Add the variables; ``y`` and ``x`` are metres from the lower left corner of an event."""
    event = str(made.attrs["events"][0])
    for image in images:
        shape = _cells(image, event, archive)
        own = "" if shape == common else f"_{image.entry.id}"
        stack = field_stack(_Read(image, tuple(frames), archive), len(frames), shape)
        made[image.entry.id] = (("time", f"y{own}", f"x{own}"), stack)
    for dim, cells in zip(("y", "x"), common, strict=True):
        made.coords[dim] = (np.arange(cells) + 0.5) * (images[0].rows[event].side / cells)
    return made
