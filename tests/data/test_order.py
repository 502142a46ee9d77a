from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxreg.data.order import Order
from wxreg.errors import Incompatible, UsageError

orders = st.builds(
    lambda world, part, more, seed, shuffle, whole: Order(
        count=world * part + more,
        batch=world * part,
        seed=seed,
        world=world,
        shuffle=shuffle,
        whole_batches=whole,
    ),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 60),
    st.integers(0, 2**40),
    st.booleans(),
    st.booleans(),
)


@given(orders, st.integers(0, 5))
def test_ranks_partition_the_epoch_without_overlap(order, epoch):
    seen = np.concatenate(
        [part for rank in range(order.world) for part in order.batches_from(epoch, rank=rank)]
    )
    assert len(set(seen.tolist())) == len(seen)
    expected = order.batches * order.batch if order.whole_batches else order.count
    assert len(seen) == expected
    assert set(seen.tolist()) <= set(range(order.count))


@given(orders, st.integers(0, 5), st.data())
def test_resuming_at_a_cursor_gives_the_rest_of_the_sequence(order, epoch, data):
    cursor = data.draw(st.integers(0, order.batches))
    rank = data.draw(st.integers(0, order.world - 1))
    whole = [part.tolist() for part in order.batches_from(epoch, rank=rank)]
    rest = [part.tolist() for part in order.batches_from(epoch, cursor, rank)]
    assert rest == whole[cursor:]


@given(orders)
def test_the_global_batch_does_not_depend_on_the_number_of_ranks(order):
    alone = Order(order.count, order.batch, order.seed, 1, order.shuffle, order.whole_batches)
    joined = [
        np.concatenate(parts).tolist()
        for parts in zip(
            *(order.batches_from(3, rank=rank) for rank in range(order.world)), strict=True
        )
    ]
    assert joined == [part.tolist() for part in alone.batches_from(3)]


def test_the_order_is_the_same_for_ever():
    golden = [6, 3, 4, 9, 0, 2, 8, 7, 5, 1]
    assert sorted(golden) == list(range(10))
    first, second = (Order(10, 1, seed=7).sequence(epoch).tolist() for epoch in (0, 1))
    assert first == golden
    assert first != second


def test_weights_draw_rare_samples_more_often():
    weights = np.where(np.arange(1000) < 50, 19.0, 1.0)
    drawn = Order(1000, 10, weights=weights).sequence(0)
    assert 0.4 < (drawn < 50).mean() < 0.6
    never = Order(1000, 10, weights=(np.arange(1000) >= 500) * 1.0).sequence(0)
    assert never.min() >= 500


@given(st.integers(0, 10**6), st.integers(0, 20), st.integers(1, 4))
def test_every_scale_is_as_frequent(seed, epoch, scales):
    order = Order(100, 1, seed=seed)
    turns = [order.scale_of(epoch, number, scales) for number in range(5 * scales)]
    assert np.bincount(turns, minlength=scales).tolist() == [5] * scales


def test_corners_depend_on_the_sample_and_not_on_the_ranks():
    alone, two = Order(40, 8, seed=3), Order(40, 8, seed=3, world=2)
    whole = alone.corners_of(1, 4, 0, (5, 3))
    assert (np.concatenate([two.corners_of(1, 4, rank, (5, 3)) for rank in (0, 1)]) == whole).all()
    assert (whole >= 0).all() and (whole < (5, 3)).all()


def test_impossible_batches_are_refused_with_the_way_out():
    with pytest.raises(UsageError, match="does not divide over 2 ranks"):
        Order(10, 3, world=2)
    with pytest.raises(Incompatible, match="3 samples do not fill one global batch of 4"):
        Order(3, 4)
    with pytest.raises(UsageError, match="sampling weights"):
        Order(10, 2, weights=np.full(10, np.nan))
