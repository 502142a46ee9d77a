"""SEVIR behind a server: trouble on the way to a file is never remembered as its damage."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from archive_servers import HttpArchive

from wxreg.data.readers.sevir_files import SevirArchive
from wxreg.errors import ExternalError

NAME = "vil/2019/SEVIR_VIL_STORMEVENTS_2019_0101_0630.h5"


def hdf5() -> bytes:
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file["id"] = np.array([b"S1"])
        file["vil"] = np.zeros((1, 8, 8, 49), np.uint8)
    return made.getvalue()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpArchive]:
    monkeypatch.setattr("wxreg.data.patience.WAIT", 0.01)
    made = HttpArchive()
    made.files = {"CATALOG.csv": b"id\n", f"data/{NAME}": hdf5()}
    yield made
    made.close()


@pytest.mark.parametrize("trouble", ["503", "down", "cut", "slow"])
def test_trouble_that_passes_is_waited_out(
    server: HttpArchive, tmp_path: Path, trouble: str
) -> None:
    archive = SevirArchive(server.root, record=tmp_path / "damage.json")
    server.trouble = {"CATALOG.csv": [trouble], f"data/{NAME}": [trouble] * 2}
    assert archive.catalogue() == b"id\n"
    assert archive.damaged([NAME]) == {}


@pytest.mark.parametrize("trouble", ["503", "down", "cut"])
def test_trouble_that_stays_is_no_damage(server: HttpArchive, tmp_path: Path, trouble: str) -> None:
    archive = SevirArchive(server.root, record=tmp_path / "damage.json")
    server.trouble = {f"data/{NAME}": [trouble] * 100}
    with pytest.raises(ExternalError, match="failed 5 times"):
        archive.damaged([NAME])
    server.trouble = {}
    assert archive.damaged([NAME]) == {}


def test_a_remote_file_cut_short_is_damaged(server: HttpArchive, tmp_path: Path) -> None:
    place = f"data/{NAME}"
    server.files[place] = server.files[place][:2000]
    found = SevirArchive(server.root, record=tmp_path / "damage.json").damaged([NAME])
    assert "truncated" in found[NAME]


COLLECTING = """
import gc, sys
import h5py
from fsspec.asyn import sync_wrapper
from fsspec.implementations.http import HTTPFile
from wxreg.data.readers.sevir_files import SevirArchive

class Ring:
    def __init__(self):
        self.ring = self
        self.file = h5py.File(str(id(self)), "w", driver="core", backing_store=False)

rings, fetch = [], HTTPFile.async_fetch_range
async def fetched(self, start, end):
    rings.clear()
    kept = [[number] for number in range(10_000)]
    return await fetch(self, start, end)
HTTPFile._fetch_range = sync_wrapper(fetched)
gc.collect()
gc.freeze()
gc.collect()
gc.set_threshold(100, 1, 1)
rings += [Ring() for _ in range(20)]
print(SevirArchive(sys.argv[1]).damaged(sys.argv[2:]))
"""
"""Objects of h5py become garbage while the thread that reads for fsspec makes many others."""


def test_garbage_is_never_collected_where_h5py_waits(server: HttpArchive) -> None:
    command = [sys.executable, "-c", COLLECTING, server.root, NAME]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("{}\n", 0), done.stderr


def test_a_process_without_file_handles_damages_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(hdf5())
    archive = SevirArchive(str(tmp_path))
    assert archive.damaged([NAME]) == {}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(path, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 1, hard))
    try:
        with pytest.raises(ExternalError, match="Too many open files"):
            archive.damaged([NAME])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(taken[0])
    assert archive.damaged([NAME]) == {}
