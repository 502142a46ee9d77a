"""GRIB: one variable of a file against gribberish and cfgrib plainly; bytes moved by an idx."""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime
from pathlib import Path

import gribberish
import numpy as np
import xarray as xr
from measure import Figure, paired, report

from wxreg.data.readers.grib_decoding import decode_message
from wxreg.data.readers.grib_index import matching, parse_index
from wxreg.data.readers.grib_messages import scan_messages
from wxreg.data.readers.grib_source import Archive, ByteRange, FileIndex
from wxreg.specs.variables import GribSelector

REAL = Path(__file__).resolve().parents[2] / "shared" / "real" / "hrrr"
SKIN = GribSelector(discipline=0, category=0, number=0, level_type=1)


def main() -> list[Figure]:
    path = REAL / "hrrr.t06z.wrfsfcf01-TMP.grib2"
    if not path.is_file():
        print("the folder of real files is absent: nothing to measure", file=sys.stderr)
        return []
    raw = path.read_bytes()

    def ours() -> np.ndarray:
        with path.open("rb") as stream:
            messages = scan_messages(stream, str(path))
        index = FileIndex(path.name, messages=messages)
        (hit,) = index.find(SKIN, 0, datetime(2023, 7, 22, 7))
        data = Archive(str(path.parent)).read(hit)
        return decode_message(data, str(path), hit.start, 10**8).values

    def with_gribberish() -> np.ndarray:
        values: np.ndarray = gribberish.parse_grib_array(raw, 0).astype(np.float32)
        return values

    def with_cfgrib() -> np.ndarray:
        opened = xr.open_dataset(path, engine="cfgrib", backend_kwargs={"indexpath": ""})
        values: np.ndarray = opened[next(iter(opened.data_vars))].values
        return values

    np.testing.assert_allclose(ours().ravel(), with_gribberish(), rtol=1e-6)
    return [
        paired(ours, with_gribberish).figure("grib_variable_vs_gribberish", 1.0),
        paired(ours, with_cfgrib).figure("grib_variable_vs_cfgrib", 1.0),
        _bytes_moved(path, raw),
    ]


def _bytes_moved(path: Path, raw: bytes) -> Figure:
    """One variable of a file of three, read through its index."""
    with tempfile.TemporaryDirectory() as folder:
        name = "three.grib2"
        (Path(folder) / name).write_bytes(raw * 3)
        size = len(raw)
        lines = [f"{i + 1}:{i * size}:d=2023072206:V{i}:surface:1 hour fcst:" for i in range(3)]
        records = parse_index("\n".join(lines).encode(), name)
        (hit,) = matching(records, "V1:surface", "instant", 0, 60)
        data = Archive(folder).read(ByteRange(name, hit.offset, hit.end, hit.number))
    moved = (hit.end or 3 * size) - hit.offset
    return Figure("idx_bytes_moved", moved / len(data), 1.1, moved, len(data), unit="bytes")


if __name__ == "__main__":
    report(main())
