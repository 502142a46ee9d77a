"""Rasters inside zip files: BIL with its header, and GeoTIFF; read without GDAL.

A zip is hostile until its sizes are known: the bytes of a raster must be those that its header
declares, and nothing beyond the declared limit of cells is decoded.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wxreg.errors import ExternalError, IntegrityError

_HEADER_LIMIT: Final = 1 << 16
_KINDS: Final = {("FLOAT", 32): "f4", ("SIGNEDINT", 16): "i2", ("SIGNEDINT", 32): "i4"}
_SCALE_TAG, _TIE_TAG, _NODATA_TAG = 33550, 33922, 42113


@dataclass(frozen=True)
class Raster:
    """A north-up raster on latitudes and longitudes."""

    values: NDArray[np.float32]
    """NaN is missing."""
    north: float
    """Latitude of the centres of the first row."""
    west: float
    spacing: float


def read_zip(path: Path, cell_limit: int) -> Raster:
    """The one raster of a zip file, BIL or GeoTIFF."""
    try:
        with zipfile.ZipFile(path) as pack:
            return _read_pack(pack, path, cell_limit)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise _damaged(path, f"the zip cannot be read: {error}") from error
    except zipfile.zlib.error as error:  # type: ignore[attr-defined]
        raise _damaged(path, f"the zip is damaged: {error}") from error


def _read_pack(pack: zipfile.ZipFile, path: Path, cell_limit: int) -> Raster:
    bils = [name for name in pack.namelist() if name.lower().endswith(".bil")]
    tiffs = [name for name in pack.namelist() if name.lower().endswith((".tif", ".tiff"))]
    if len(bils) + len(tiffs) != 1:
        raise _damaged(path, f"the zip holds {len(bils) + len(tiffs)} rasters; expected one")
    if bils:
        return _read_bil(pack, bils[0], path, cell_limit)
    size = pack.getinfo(tiffs[0]).file_size
    if size > 8 * cell_limit:
        raise _damaged(path, f"the GeoTIFF would unpack to {size} bytes")
    return _read_tiff(_bytes(pack, tiffs[0], size, path), path, cell_limit)


def _bytes(pack: zipfile.ZipFile, name: str, size: int, path: Path) -> bytes:
    """Exactly ``size`` bytes of a member, whatever its directory entry claims."""
    with pack.open(name) as stream:
        raw = stream.read(size + 1)
    if len(raw) != size:
        found = f"more than {size}" if len(raw) > size else str(len(raw))
        raise _damaged(path, f"{name} has {found} bytes; its header declares {size}")
    return raw


def _read_bil(pack: zipfile.ZipFile, name: str, path: Path, cell_limit: int) -> Raster:
    header = _header(pack, name[:-4] + ".hdr", path)
    try:
        rows, columns = int(header["NROWS"]), int(header["NCOLS"])
        kind = _KINDS[header.get("PIXELTYPE", "SIGNEDINT"), int(header["NBITS"])]
        north, west = float(header["ULYMAP"]), float(header["ULXMAP"])
        spacing, missing = float(header["XDIM"]), float(header.get("NODATA", "-9999"))
    except (KeyError, ValueError) as error:
        raise _damaged(path, f"the header lacks or garbles {error}") from error
    if rows < 1 or columns < 1 or rows * columns > cell_limit:
        raise _damaged(path, f"the header declares {rows} × {columns} cells")
    order = ">" if header.get("BYTEORDER", "I").upper() == "M" else "<"
    dtype = np.dtype(order + kind)
    raw = _bytes(pack, name, rows * columns * dtype.itemsize, path)
    values = np.frombuffer(raw, dtype).reshape(rows, columns)
    return Raster(_without(values, missing), north, west, spacing)


def _header(pack: zipfile.ZipFile, name: str, path: Path) -> dict[str, str]:
    try:
        with pack.open(name) as stream:
            text = stream.read(_HEADER_LIMIT).decode("ascii", "replace")
    except KeyError as error:
        raise _damaged(path, f"the zip has no {name}") from error
    pairs = (line.split(None, 1) for line in text.splitlines() if len(line.split(None, 1)) == 2)
    return {key.upper(): value.strip() for key, value in pairs}


def _read_tiff(raw: bytes, path: Path, cell_limit: int) -> Raster:
    try:
        import tifffile
    except ImportError as error:
        raise ExternalError(
            "REG-700",
            "reading GeoTIFF needs tifffile",
            where=str(path),
            hint="pip install 'wxreg[baselines]'",
        ) from error
    try:
        with tifffile.TiffFile(BytesIO(raw)) as opened:
            page: Any = opened.pages[0]
            if len(page.shape) != 2 or page.shape[0] * page.shape[1] > cell_limit:
                raise _damaged(path, f"the GeoTIFF declares the shape {page.shape}")
            tags = {tag.code: tag.value for tag in page.tags}
            values = page.asarray()
            scale, tie = tags[_SCALE_TAG], tags[_TIE_TAG]
            missing = float(str(tags.get(_NODATA_TAG, "-9999")).strip("\0 "))
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, RuntimeError) as error:
        raise _damaged(path, f"the GeoTIFF cannot be read: {error}") from error
    spacing = float(scale[0])
    north, west = float(tie[4]) - spacing / 2, float(tie[3]) + spacing / 2
    return Raster(_without(values, missing), north, west, spacing)


def _without(values: NDArray[Any], missing: float) -> NDArray[np.float32]:
    found = values.astype(np.float32)
    found[values == values.dtype.type(missing)] = np.nan
    return found


def _damaged(path: Path, what: str) -> IntegrityError:
    return IntegrityError("REG-536", what, where=str(path), hint="fetch the file again")
