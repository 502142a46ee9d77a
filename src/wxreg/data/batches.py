"""From windows to torch batches: the only file of this floor that loads torch.

:class:`BatchSource` makes the batch of any windows, always the same for the same request.
:class:`WindowLoader` visits them in the order of an :class:`~wxreg.data.order.Order`, with or
without worker processes, from any (epoch, cursor) on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from wxreg.data.augmenting import Augmentation
from wxreg.data.curriculum import Curriculum, EpochStages
from wxreg.data.order import Order
from wxreg.data.samples import LoaderSettings, Samples, SampleSource
from wxreg.data.windows import Windows
from wxreg.errors import RegError, UsageError

Ints = NDArray[np.int64]
_SHOWN: Final = 8


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
    segment: Tensor
    """The event of each sample ``(B,)``; zero where the store is one series."""
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


@dataclass(frozen=True)
class Ask:
    """One batch that a source is asked for."""

    samples: Ints
    corners: Ints | None = None
    scale: int = 1
    leads: tuple[int, ...] | None = None
    """The leads whose targets count, in seconds; none for all."""
    draws: NDArray[np.uint64] | None = None
    """The random bits that move each sample."""


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
        return self.asked(Ask(np.array(samples, np.int64), corners, scale))

    def asked(self, ask: Ask, augment: Augmentation | None = None) -> WindowBatch:
        """The batch that is asked for."""
        chosen = self.windows.choose(ask.samples)
        found = self.reading.samples(chosen, ask.corners, ask.scale)
        if ask.leads is not None and found.target_mask is not None:
            counts = np.isin(chosen.leads, ask.leads)[:, :, None, None, None]
            found = replace(found, target_mask=found.target_mask & counts)
        if augment is not None and ask.draws is not None:
            found = augment.moved(found, ask.draws)
        return _batch(found, ask.samples, ask.scale)


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
        segment=torch.from_numpy(found.segment),
        lat=torch.from_numpy(found.lat),
        lon=torch.from_numpy(found.lon),
        windows=torch.from_numpy(numbers),
        scale=scale,
    )


class _Served(Dataset[Any]):
    """A source that is asked for whole batches, perhaps in another process.

    An error of ours is handed over as a value: raised in a worker it would lose its type.
    """

    def __init__(self, source: BatchSource, augment: Augmentation | None) -> None:
        self._source = source
        self._augment = augment

    def __getitem__(self, ask: Ask) -> WindowBatch | _Refused:
        try:
            return self._source.asked(ask, self._augment)
        except RegError as error:
            return _Refused(error, ask.samples)
        except MemoryError as error:
            return _Refused(MemoryError(f"while data were loaded: {error}"), ask.samples)


@dataclass(frozen=True)
class _Refused:
    """An error that came up where a batch was made."""

    error: RegError | MemoryError
    samples: Ints

    def raise_again(self) -> NoReturn:
        """The same error; one of ours names the windows of the batch too."""
        if isinstance(self.error, MemoryError):
            raise self.error
        windows = ", ".join(str(one) for one in self.samples[:_SHOWN])
        more = " …" if len(self.samples) > _SHOWN else ""
        message = f"windows {windows}{more}: {self.error.message}"
        kind, where, hint = type(self.error), self.error.where, self.error.hint
        raise kind(self.error.code, message, where=where, hint=hint)


class _Asks(Sampler[Ask]):
    """The batches of an epoch from a cursor on, known before any worker starts."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        self._asks = asks

    def __iter__(self) -> Iterator[Ask]:
        return iter(self._asks)

    def __len__(self) -> int:
        return len(self._asks)


class WindowLoader:
    """Visits the samples of a source in order, as one rank of possibly many."""

    def __init__(
        self,
        source: BatchSource,
        order: Order,
        rank: int = 0,
        workers: int = 0,
        *,
        augment: Augmentation | None = None,
        curriculum: Curriculum | None = None,
    ) -> None:
        if order.count != len(source):
            raise UsageError(
                "REG-235", f"an order of {order.count} samples for {len(source)} windows"
            )
        self.source = source
        self.order = order
        self._rank = rank
        self._workers = workers
        self._augment = augment
        self._curriculum = curriculum

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        return self.order.batches

    def at(self, epoch: int, cursor: int = 0) -> Iterator[WindowBatch]:
        """The batches of ``epoch`` after the first ``cursor``."""
        if self._workers:
            self.source.reading.warm()
        served: DataLoader[Any] = DataLoader(
            _Served(self.source, self._augment),
            sampler=_Asks(list(self._asks(epoch, cursor))),
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=self._workers,
            multiprocessing_context="fork" if self._workers else None,
        )
        for batch in served:
            if isinstance(batch, _Refused):
                batch.raise_again()
            yield batch

    def _asks(self, epoch: int, cursor: int) -> Iterator[Ask]:
        scales = self.source.reading.settings.scales
        stages = self._stages(epoch)
        visited = None if stages is None else stages.visited
        parts = self.order.batches_from(epoch, cursor, self._rank, visited)
        for number, samples in enumerate(parts, start=cursor):
            if not len(samples):
                continue
            scale = scales[self.order.scale_of(epoch, number, len(scales))]
            yield Ask(
                samples,
                self._corners(epoch, number, len(samples)),
                scale,
                None if stages is None else stages.leads(number),
                None if self._augment is None else self._draws(epoch, number, len(samples)),
            )

    def _stages(self, epoch: int) -> EpochStages | None:
        if self._curriculum is None:
            return None
        return EpochStages(self._curriculum, epoch, self.source.windows)

    def _draws(self, epoch: int, number: int, count: int) -> NDArray[np.uint64]:
        return self.order.draws_of(epoch, number, self._rank)[:count]

    def _corners(self, epoch: int, number: int, count: int) -> Ints | None:
        room = self.source.reading.room
        if room is None:
            return None
        drawn = self.order.corners_of(epoch, number, self._rank, room)
        return drawn[:count] * self.source.reading.factor


def _as_it_is(batch: Any) -> Any:
    return batch
