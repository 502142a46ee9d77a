from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_stores import hours, write_store

from wxreg.data.batches import BatchSource, WindowLoader
from wxreg.data.order import Order
from wxreg.data.samples import LoaderSettings, View
from wxreg.data.tiles import Tile
from wxreg.errors import Incompatible, IntegrityError, NotFound, UsageError
from wxreg.specs.timeaxis import Period

HOUR = 3600


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "hrrr.zarr"
    made = write_store(path, times=hours(30), levels=(500.0, 850.0), missing=0.05)
    return path, made


def plain(path, **changes) -> LoaderSettings:
    settings = {
        "inputs": View(path, ("t2m", "t@500", "refc")),
        "targets": View(path, ("refc", "t2m")),
        "statics": View(path, ("orog",)),
        "history": (-HOUR, 0),
        "leads": (HOUR, 2 * HOUR),
    }
    return LoaderSettings(**(settings | changes))


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_a_batch_holds_the_values_of_the_store_in_declared_order(store, memory):
    path, made = store
    source = BatchSource(plain(path, memory=memory))
    batch = source.batch([3, 0])
    window = source.windows[3]
    for step, time in enumerate(window.inputs):
        for channel, field in enumerate((made.t2m, made.t.sel(level=500), made.refc)):
            expected = field.values[time]
            mask = batch.input_mask[0, step, channel].numpy()
            assert (mask == ~np.isnan(expected)).all()
            got = batch.inputs[0, step, channel].numpy()
            assert (got[mask] == expected[mask]).all()
            assert np.allclose(got[~mask], np.nanmean(expected), rtol=1e-5)
    expected = made.refc.values[window.targets[1]]
    assert (batch.target_mask[0, 1, 0].numpy() == ~np.isnan(expected)).all()
    assert (
        np.nan_to_num(expected) == (batch.target[0, 1, 0] * batch.target_mask[0, 1, 0]).numpy()
    ).all()
    assert batch.static.shape == (2, 1, 8, 12)
    assert (batch.static[1, 0].numpy() == made.orog.values).all()
    assert batch.lead_hours.tolist() == [[1, 2], [1, 2]]
    assert batch.time.tolist() == [window.init, source.windows[0].init]
    assert batch.lat.shape == (8, 12)
    assert torch.isfinite(batch.inputs).all() and torch.isfinite(batch.target).all()


def same(one, two) -> bool:
    return all(
        torch.equal(getattr(one, name), getattr(two, name))
        for name in ("inputs", "input_mask", "static", "target", "target_mask", "windows", "lat")
    )


@pytest.mark.parametrize("memory", [0, 1 << 30])
@pytest.mark.parametrize("workers", [0, 2])
def test_workers_and_cursors_change_nothing(store, workers, memory):
    path, _ = store
    source = BatchSource(plain(path, memory=memory, tile=Tile(4, halo=2)))
    order = Order(len(source), 4, seed=5)
    whole = list(WindowLoader(source, order).at(epoch=2))
    assert len(whole) == order.batches
    rest = list(WindowLoader(source, order, workers=workers).at(epoch=2, cursor=3))
    assert len(rest) == order.batches - 3
    assert all(same(one, two) for one, two in zip(rest, whole[3:], strict=True))


def test_two_ranks_make_the_global_batch_of_one(store):
    path, _ = store
    source = BatchSource(plain(path, tile=Tile(4)))
    alone = next(iter(WindowLoader(source, Order(len(source), 4)).at(0)))
    order = Order(len(source), 4, world=2)
    parts = [next(iter(WindowLoader(source, order, rank).at(0))) for rank in (0, 1)]
    assert torch.equal(torch.cat([part.inputs for part in parts]), alone.inputs)


def test_coarse_inputs_and_fine_targets_make_one_sample(tmp_path):
    fine, coarse = tmp_path / "fine.zarr", tmp_path / "coarse.zarr"
    truth = write_store(fine, times=hours(6), shape=(16, 24), variables=("precip",))
    low = write_store(coarse, times=hours(6), shape=(4, 6), spacing=4, variables=("precip", "t2m"))
    settings = LoaderSettings(
        View(coarse, ("precip", "t2m")),
        View(fine, ("precip",)),
        View(fine, ("orog",)),
        tile=Tile(8, halo=4),
    )
    source = BatchSource(settings)
    assert (source.reading.factor, source.reading.room) == (4, (3, 5))
    batch = source.batch([2], np.array([[4, 8]]))
    assert batch.inputs.shape == (1, 1, 2, 4, 4)
    assert batch.static.shape == (1, 1, 16, 16)
    assert batch.target.shape == (1, 1, 1, 8, 8)
    assert (batch.inputs[0, 0, 0].numpy() == low.precip.values[2, 0:4, 1:5]).all()
    assert (batch.target[0, 0, 0].numpy() == truth.precip.values[2, 4:12, 8:16]).all()
    assert (batch.static[0, 0].numpy() == truth.orog.values[0:16, 4:20]).all()
    assert (batch.lat[0].numpy() == truth.lat.values[4:12, 8:16]).all()


def test_a_halo_repeats_at_a_border_or_wraps_around_the_globe(tmp_path):
    path = tmp_path / "globe.zarr"
    made = write_store(path, times=hours(2), shape=(4, 8), variables=("t2m",))
    field = made.t2m.values[0]
    for edges, left in (("repeat", field[:, :1]), ("wrap", field[:, -1:])):
        source = BatchSource(
            LoaderSettings(View(path, ("t2m",)), View(path, ("t2m",)), tile=Tile(4, 1, edges))
        )
        got = source.batch([0], np.array([[0, 0]])).inputs[0, 0, 0].numpy()
        assert (got[1:5, :1] == left).all()
        assert (got[0, 1:] == field[0, :5]).all()


def test_scales_are_block_means_of_the_same_field(store):
    path, made = store
    source = BatchSource(plain(path, scales=(1, 2, 4)))
    loader = WindowLoader(source, Order(len(source), 2))
    scales = [batch.scale for batch in loader.at(0)]
    assert sorted(scales[:3]) == [1, 2, 4]
    coarse = source.batch([0], scale=2)
    expected = made.refc.values[1].reshape(4, 2, 6, 2).mean(axis=(1, 3))
    mask = coarse.input_mask[0, 1, 2].numpy()
    assert (mask == ~np.isnan(expected)).all()
    assert np.allclose(coarse.inputs[0, 1, 2].numpy()[mask], expected[mask], rtol=1e-6)


def test_without_truth_a_batch_has_no_target(store):
    path, _ = store
    source = BatchSource(plain(path, truth=False))
    assert len(source) == 29
    assert source.batch([28]).target is None


def test_a_direct_model_gets_one_lead_a_sample(store):
    path, _ = store
    source = BatchSource(plain(path, one_lead=True))
    assert len(source) == 28 + 27
    batch = source.batch([0, len(source) - 1])
    assert batch.lead_hours.tolist() == [[1], [2]]
    assert batch.target.shape == (2, 1, 2, 8, 12)


def test_missing_times_and_other_splits_are_left_out(tmp_path):
    path = tmp_path / "gaps.zarr"
    write_store(path, times=hours(12), variables=("t2m",))
    import zarr

    zarr.open_group(path, mode="a").attrs["missing_times"] = ["2023-06-01T05:00"]
    view = View(path, ("t2m",))
    periods = (Period(start="2023-06-01T02", end="2023-06-01T10"),)
    source = BatchSource(LoaderSettings(view, view, leads=(HOUR,), periods=periods))
    start = int(np.datetime64("2023-06-01", "s").astype(int))
    assert ((source.windows.init - start) // HOUR).tolist() == [2, 3, 6, 7, 8]


def test_unlike_grids_and_unknown_channels_are_refused(tmp_path):
    one, two, moved = (tmp_path / name for name in ("a.zarr", "b.zarr", "c.zarr"))
    write_store(one, times=hours(3))
    write_store(two, times=hours(3), shape=(12, 12))
    write_store(moved, times=hours(3), shape=(16, 24), spacing=1)
    with pytest.raises(Incompatible, match="whole number of target cells"):
        BatchSource(LoaderSettings(View(one, ("t2m",)), View(two, ("t2m",))))
    with pytest.raises(Incompatible, match="different places"):
        BatchSource(LoaderSettings(View(one, ("t2m",)), View(moved, ("t2m",))))
    with pytest.raises(NotFound, match="t2n"):
        BatchSource(LoaderSettings(View(one, ("t2n",)), View(one, ("t2m",))))
    with pytest.raises(UsageError, match="tiles need one corner"):
        settings = LoaderSettings(View(one, ("t2m",)), View(one, ("t2m",)), tile=Tile(4))
        BatchSource(settings).batch([0])


def test_a_truncated_chunk_is_named_with_its_time_and_channel(tmp_path):
    path = tmp_path / "hurt.zarr"
    write_store(path, times=hours(5), variables=("t2m",))
    chunk = path / "t2m" / "c" / "3" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:40])
    source = BatchSource(LoaderSettings(View(path, ("t2m",)), View(path, ("t2m",))))
    source.batch([0, 1, 2])
    with pytest.raises(IntegrityError, match="t2m cannot be read at 2023-06-01T03:00"):
        source.batch([3])
