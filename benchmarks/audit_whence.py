"""`whence` on a forecast against decoding and hashing its payload once; budget 1.3×."""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from measure import Figure, paired, report

from wxreg.artifacts.digests import field_digest, prefix64
from wxreg.audit.whence import whence
from wxreg.audit.workplace import Workplace
from wxreg.data.forecast_files import ForecastWriter, read_claim
from wxreg.data.forecast_index import read_index
from wxreg.data.forecast_layout import ForecastLayout
from wxreg.ledger.records import ArtifactRecord, ForecastIndex, RunStart
from wxreg.ledger.store import Ledger

_SIDE = 512
_MEMBERS = 8


def _forecast(path: Path) -> str:
    axis = np.arange(float(_SIDE))
    layout = ForecastLayout(
        channels=("refc", "t2m", "u10", "v10"),
        inits=(0, 3600),
        leads=(3600, 7200, 10800),
        members=_MEMBERS,
        member_block=_MEMBERS,
        y=axis[::-1],
        x=axis,
        lat=np.zeros((_SIDE, _SIDE)),
        lon=np.zeros((_SIDE, _SIDE)),
    )
    draw = np.random.default_rng(1)
    with ForecastWriter(path, layout, {"sampling_run": "sample-1"}) as writer:
        for init in layout.inits:
            shape = (_MEMBERS, 3, 4, _SIDE, _SIDE)
            writer.write(init, 0, draw.normal(280, 9, shape).astype("f4").round(1))
        return writer.finish()


def _decode_and_hash(path: Path) -> int:
    """The same payload with bare zarr, by two threads."""
    arrays = [zarr.open_array(path / name, mode="r") for name in ("refc", "t2m", "u10", "v10")]
    places = [(array, place) for array in arrays for place in np.ndindex(array.shape[:3])]

    def digest(one: tuple[zarr.Array[Any], tuple[int, ...]]) -> str:
        return field_digest(np.asarray(one[0][one[1]]))

    with ThreadPoolExecutor(2) as pool:
        return len(set(pool.map(digest, places)))


def main() -> list[Figure]:
    """Measure both in turn."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        path = root / "forecasts" / "sample-1.zarr"
        merkle = _forecast(path)
        ledger = Ledger(root / "ledger.db")
        ledger.begin(RunStart("sample-1", "sample"))
        prefixes = tuple(prefix64(entry.digest) for entry in read_index(path))
        record = ArtifactRecord(
            merkle,
            "forecast",
            "forecasts/sample-1.zarr",
            1,
            "2026-11-21T00:00:00+00:00",
            "sample-1",
        )
        ledger.register(record, ForecastIndex(merkle, merkle, prefixes))
        here = Workplace(root, ledger)
        answer = whence(path, here)
        if answer.status != "verified" or not read_claim(path):
            sys.exit(f"the benchmark's own forecast is {answer.status}")
        pair = paired(lambda: whence(path, here), lambda: _decode_and_hash(path), repeats=5)
        ledger.close()
    return [pair.figure("whence-forecast", 1.3)]


if __name__ == "__main__":
    report(main())
