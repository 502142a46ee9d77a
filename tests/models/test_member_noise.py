from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wxreg.models.noise import MemberNoise, TileNoise

LIKE = torch.zeros(1)
OLD = [1.415885090827942, -1.4296042919158936, 1.4187393188476562]


def draws(noise: MemberNoise) -> list[torch.Tensor]:
    return [noise.normal((2, 3), LIKE), noise.uniform((4,), LIKE), noise.normal((2, 3), LIKE)]


@given(members=st.integers(1, 7), batch=st.integers(1, 7), seed=st.integers(0, 2**40))
@settings(max_examples=30, deadline=None)
def test_a_member_draws_the_same_however_members_are_batched(
    members: int, batch: int, seed: int
) -> None:
    times = [1.6e9, 1.6e9 + 3600]
    whole = draws(MemberNoise(seed, times, members))
    for start in range(0, members, batch):
        count = min(batch, members - start)
        for row, time in enumerate(times):
            parts = draws(MemberNoise(seed, [time], count, start))
            for all_members, part in zip(whole, parts, strict=True):
                first = row * members + start
                assert torch.equal(all_members[first : first + count], part)


def test_every_row_and_draw_differs() -> None:
    noise = MemberNoise(0, [0.0, 3600.0], 3)
    rows = torch.cat([noise.normal((16,), LIKE), noise.normal((16,), LIKE)])
    assert len({tuple(row.tolist()) for row in rows}) == 12
    assert not torch.equal(MemberNoise(1, [0.0], 1).normal((16,), LIKE)[0], rows[0])


@given(time=st.integers(0, 2**32), segments=st.lists(st.integers(0, 900), min_size=2, unique=True))
@settings(max_examples=30, deadline=None)
def test_events_that_start_at_one_time_draw_apart_and_each_the_same_again(
    time: int, segments: list[int]
) -> None:
    def rows(*events: int) -> list[tuple[float, ...]]:
        noise = MemberNoise(5, [float(time)] * len(events), 2, 0, events)
        return [tuple(row.tolist()) for row in noise.normal((16,), LIKE)]

    together = rows(*segments)
    assert len(set(together)) == 2 * len(segments)
    assert [row for event in segments for row in rows(event)] == together


def test_a_series_draws_what_it_always_drew() -> None:
    """Seed 3, 2022-01-01, member 1: the bits of forecasts that were made before events counted."""
    noise = MemberNoise(3, [1640995200.0], 1, 1)
    assert noise.normal((3,), LIKE)[0].tolist() == OLD
    assert MemberNoise(3, [1640995200.0], 1, 1, [0]).normal((3,), LIKE)[0].tolist() == OLD


def test_draws_have_their_distribution() -> None:
    noise = MemberNoise(3, [0.0], 1)
    normal, uniform = noise.normal((40_000,), LIKE), noise.uniform((40_000,), LIKE)
    assert abs(float(normal.mean())) < 0.02
    assert abs(float(normal.std()) - 1) < 0.02
    assert float(uniform.min()) >= 0
    assert float(uniform.max()) < 1


def test_tiles_see_one_noise_field() -> None:
    def tile(rows: slice, columns: slice) -> torch.Tensor:
        noise = TileNoise(MemberNoise(0, [0.0], 2), (8, 12), rows, columns)
        size = (rows.stop - rows.start, columns.stop - columns.start)
        noise.uniform((5,), LIKE)
        return noise.normal((3, *size), LIKE)

    west, east = tile(slice(0, 8), slice(0, 8)), tile(slice(0, 8), slice(4, 12))
    assert west.shape == (2, 3, 8, 8)
    assert torch.equal(west[..., 4:], east[..., :4])
