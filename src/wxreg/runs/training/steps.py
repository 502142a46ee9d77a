"""The batches of all epochs as one stream that can begin anywhere."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wxreg.data.batches import WindowBatch, WindowLoader
from wxreg.errors import RegError


class Steps(torch.utils.data.IterableDataset[WindowBatch]):
    """The batches of all epochs from an optimizer step on, as one stream."""

    def __init__(self, loader: WindowLoader, per_epoch: int, first: int, accumulate: int) -> None:
        self._loader = loader
        self._per_epoch = per_epoch
        self._first = first
        self._accumulate = accumulate

    def __iter__(self) -> Iterator[WindowBatch]:
        epoch, within = divmod(self._first, self._per_epoch)
        parts = self._per_epoch * self._accumulate
        cursor = within * self._accumulate
        while True:
            number = cursor
            try:
                for number, batch in enumerate(self._loader.at(epoch, cursor), start=cursor):
                    if number >= parts:
                        break
                    yield batch
                    number += 1
            except RegError as error:
                raise _in_batch(error, epoch, number) from error
            epoch, cursor = epoch + 1, 0


def _in_batch(error: RegError, epoch: int, number: int) -> RegError:
    """The same error, saying also which batch could not be read."""
    message = f"epoch {epoch + 1}, batch {number}: {error.message}"
    kept = "the last resume point is kept"
    hint = f"{error.hint}; {kept}" if error.hint else kept
    return type(error)(error.code, message, where=error.where, hint=hint)
