"""A version's folder may hold several Zarr stores; the product says which is meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wxreg.data.readers.cf_zarr import at_store
from wxreg.data.reading import ReadRequest
from wxreg.errors import NotFound
from wxreg.leadtime import Duration
from wxreg.specs.timeaxis import TimeAxis


def _request(folder: Path, product: str | None) -> ReadRequest:
    return ReadRequest(
        layout="cf-zarr",
        location=str(folder),
        entries=(),
        lexicon={},
        time=TimeAxis(cadence=Duration(3600)),
        product=product,
    )


def _stores(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
    return folder


def test_the_only_store_of_a_folder_is_meant(tmp_path: Path) -> None:
    folder = _stores(tmp_path, "full_37.zarr-v3")
    assert at_store(_request(folder, None)).location == str(folder / "full_37.zarr-v3")


def test_the_product_chooses_among_stores(tmp_path: Path) -> None:
    folder = _stores(tmp_path, "conus404_daily.zarr", "conus404_hourly.zarr")
    chosen = at_store(_request(folder, "daily")).location
    assert chosen == str(folder / "conus404_daily.zarr")


@pytest.mark.parametrize("product", [None, "monthly"])
def test_an_open_choice_is_refused(tmp_path: Path, product: str | None) -> None:
    folder = _stores(tmp_path, "conus404_daily.zarr", "conus404_hourly.zarr")
    with pytest.raises(NotFound, match="Zarr stores"):
        at_store(_request(folder, product))


def test_a_store_or_a_remote_place_is_taken_as_it_is(tmp_path: Path) -> None:
    store = _request(_stores(tmp_path, "a.zarr") / "a.zarr", "hourly")
    assert at_store(store) == store
    remote = replace(store, location="s3://hytest/conus404/conus404_hourly.zarr")
    assert at_store(remote) == remote
