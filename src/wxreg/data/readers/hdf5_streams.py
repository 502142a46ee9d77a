"""HDF5 files, here and behind URLs.

h5py holds one lock while it reads through a Python stream, and wants the same lock to forget an
object.  Should garbage be collected in the thread that does the reading, each would wait for the
other for ever (h5py issue 2019), so nothing is collected while a stream is read.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import fsspec
import h5py
from fsspec.implementations.local import LocalFileSystem

_ONE_AT_A_TIME: Final = threading.RLock()


@contextmanager
def open_hdf5(place: str, storage: Mapping[str, Any]) -> Iterator[h5py.File]:
    """A file to read; one that lies here is read by HDF5 itself."""
    filesystem, path = fsspec.core.url_to_fs(place, **storage)
    if isinstance(filesystem, LocalFileSystem):
        with h5py.File(path, "r", locking=False) as opened:
            yield opened
        return
    with _uncollected(), filesystem.open(path, "rb") as stream, h5py.File(stream) as opened:
        yield opened


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage is collected; h5py reads for one thread at a time anyway."""
    with _ONE_AT_A_TIME:
        collects = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collects:
                gc.enable()
