"""From windows to torch batches: the only file of this floor that loads torch.

:class:`BatchSource` makes the batch of any windows, always the same for the same request.
:class:`WindowLoader` visits them in the order of an :class:`~wxreg.data.order.Order`, with or
without worker processes, from any (epoch, cursor) on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from wxreg.data.order import Order
from wxreg.data.samples import LoaderSettings, Samples, SampleSource
from wxreg.data.windows import Windows
from wxreg.errors import UsageError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class WindowBatch:
    """The samples of one step, in physical units; see ``models.forecaster.Batch``."""

    inputs: Tensor
    input_mask: Tensor
    static: Tensor
    target: Tensor | None
    target_mask: Tensor | None
    lead_hours: Tensor
    time: Tensor
    lat: Tensor
    """``(Y, X)`` on the grid of the targets; ``(B, Y, X)`` where samples are tiles."""
    lon: Tensor
    windows: Tensor
    """Which windows of the source these are ``(B,)``."""
    scale: int = 1

    def __len__(self) -> int:
        return len(self.time)

    def to(self, device: torch.device | str) -> WindowBatch:
        """The same batch on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> WindowBatch:
        """The same batch in page-locked memory, which a loader asks for before copying to CUDA."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> WindowBatch:
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        moved: dict[str, Any] = {
            name: change(item) for name, item in found.items() if isinstance(item, Tensor)
        }
        return replace(self, **moved)


class BatchSource:
    """Makes the batch of any windows of a split."""

    def __init__(self, settings: LoaderSettings) -> None:
        self.reading = SampleSource(settings)

    @property
    def windows(self) -> Windows:
        """Every window of the split, in order of segment and init time."""
        return self.reading.windows

    def __len__(self) -> int:
        return len(self.windows)

    def batch(
        self, samples: Sequence[int] | Ints, corners: Ints | None = None, scale: int = 1
    ) -> WindowBatch:
        """The batch of those windows; see :meth:`SampleSource.samples`."""
        numbers = np.array(samples, np.int64)
        found = self.reading.samples(self.windows.choose(numbers), corners, scale)
        return _batch(found, numbers, scale)


def _batch(found: Samples, numbers: Ints, scale: int) -> WindowBatch:
    count = len(numbers)
    static = torch.from_numpy(found.static)
    return WindowBatch(
        inputs=torch.from_numpy(found.inputs),
        input_mask=torch.from_numpy(found.input_mask),
        static=static if found.static.ndim == 4 else static.expand(count, *static.shape),
        target=None if found.target is None else torch.from_numpy(found.target),
        target_mask=None if found.target_mask is None else torch.from_numpy(found.target_mask),
        lead_hours=torch.from_numpy((found.leads / 3600).astype(np.float32)),
        time=torch.from_numpy(found.init.astype(np.float64)),
        lat=torch.from_numpy(found.lat),
        lon=torch.from_numpy(found.lon),
        windows=torch.from_numpy(numbers),
        scale=scale,
    )


@dataclass(frozen=True)
class _Ask:
    """One batch that a worker is asked for."""

    samples: Ints
    corners: Ints | None
    scale: int


class _Served(Dataset[WindowBatch]):
    """A source that is asked for whole batches."""

    def __init__(self, source: BatchSource) -> None:
        self._source = source

    def __getitem__(self, ask: _Ask) -> WindowBatch:
        return self._source.batch(ask.samples, ask.corners, ask.scale)


class _Asks(Sampler[_Ask]):
    """The batches of an epoch from a cursor on, known before any worker starts."""

    def __init__(self, asks: Sequence[_Ask]) -> None:
        self._asks = asks

    def __iter__(self) -> Iterator[_Ask]:
        return iter(self._asks)

    def __len__(self) -> int:
        return len(self._asks)


class WindowLoader:
    """Visits the samples of a source in order, as one rank of possibly many."""

    def __init__(self, source: BatchSource, order: Order, rank: int = 0, workers: int = 0) -> None:
        if order.count != len(source):
            raise UsageError(
                "REG-235", f"an order of {order.count} samples for {len(source)} windows"
            )
        self.source = source
        self.order = order
        self._rank = rank
        self._workers = workers

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        return self.order.batches

    def at(self, epoch: int, cursor: int = 0) -> DataLoader[WindowBatch]:
        """The batches of ``epoch`` after the first ``cursor``; a fresh iterable each time."""
        if self._workers:
            self.source.reading.warm()
        return DataLoader(
            _Served(self.source),
            sampler=_Asks(list(self._asks(epoch, cursor))),
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=self._workers,
            multiprocessing_context="fork" if self._workers else None,
        )

    def _asks(self, epoch: int, cursor: int) -> Iterator[_Ask]:
        scales = self.source.reading.settings.scales
        parts = self.order.batches_from(epoch, cursor, self._rank)
        for number, samples in enumerate(parts, start=cursor):
            if not len(samples):
                continue
            scale = scales[self.order.scale_of(epoch, number, len(scales))]
            yield _Ask(samples, self._corners(epoch, number, len(samples)), scale)

    def _corners(self, epoch: int, number: int, count: int) -> Ints | None:
        room = self.source.reading.room
        if room is None:
            return None
        drawn = self.order.corners_of(epoch, number, self._rank, room)
        return drawn[:count] * self.source.reading.factor


def _as_it_is(batch: Any) -> Any:
    return batch
