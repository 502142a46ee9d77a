from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wxreg.models.noise import MemberNoise, TileNoise

LIKE = torch.zeros(1)


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
