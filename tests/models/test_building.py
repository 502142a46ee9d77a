from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import synthetic_weather as weather
import torch

from wxreg.errors import Incompatible, IntegrityError, NotFound, UsageError
from wxreg.models.building import (
    blueprint_from_json,
    blueprint_to_json,
    build,
    build_on_meta,
    count_parameters,
    describe_checkpoint,
    load_weights,
)

AURORA = {
    "patch_size": 4, "embed_dim": 16, "num_heads": 2, "window_size": [2, 2, 2],
    "encoder_depths": [2, 2], "encoder_num_heads": [2, 4], "decoder_depths": [2, 2],
    "decoder_num_heads": [4, 2], "latent_levels": 2, "mlp_ratio": 2.0, "residual": True,
}  # fmt: skip
SETTINGS = {"unet": {}, "ddpm": {}, "aurora": AURORA}


def tiny(fields: np.ndarray, name: str) -> object:
    return weather.blueprint(fields, name, settings=SETTINGS[name])


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_seed_builds_the_same_weights_and_losses(fields: np.ndarray, name: str) -> None:
    batch = weather.windows(fields).pick(slice(0, 2))
    first, second = (build(tiny(fields, name), seed=7) for _ in range(2))
    for mine, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(mine, other)
    losses = [m.loss(batch, torch.Generator().manual_seed(1)).total for m in (first, second)]
    assert torch.equal(*losses)


@pytest.mark.parametrize("name", SETTINGS)
def test_counting_on_the_meta_device_is_counting(fields: np.ndarray, name: str) -> None:
    built = build(tiny(fields, name))
    assert count_parameters(built.blueprint) == sum(p.numel() for p in built.parameters())


@pytest.mark.parametrize("name", SETTINGS)
def test_a_checkpoint_carries_all_that_it_takes_to_rebuild(fields: np.ndarray, name: str) -> None:
    built = build(tiny(fields, name), seed=0)
    carried = json.loads(json.dumps(describe_checkpoint(built)))
    again = build(blueprint_from_json(carried["blueprint"]))
    load_weights(again, built.state_dict())
    assert blueprint_to_json(again.blueprint) == blueprint_to_json(built.blueprint)
    batch = weather.windows(fields).pick(slice(0, 1))
    one, two = (m.eval().loss(batch, torch.Generator().manual_seed(0)) for m in (built, again))
    assert torch.equal(one.total, two.total)


def test_the_81_thousand_class_is_what_it_says(fields: np.ndarray) -> None:
    assert count_parameters(tiny(fields, "ddpm")) == 83_154


def test_weights_of_another_network_are_refused_by_layer(fields: np.ndarray) -> None:
    built = build(tiny(fields, "unet"))
    weights = dict(built.state_dict())
    wider = build(weather.blueprint(fields, "unet", settings={"base": 12})).state_dict()
    with pytest.raises(Incompatible, match=r"layer network\.embed|network\.stem"):
        load_weights(built, wider)
    with pytest.raises(Incompatible, match="missing"):
        load_weights(built, {k: v for k, v in weights.items() if "head" not in k})
    with pytest.raises(Incompatible, match="no layer extra"):
        load_weights(built, {**weights, "extra": torch.zeros(1)})
    name = next(iter(weights))
    with pytest.raises(IntegrityError, match="not finite"):
        load_weights(built, {**weights, name: weights[name] * float("nan")})
    assert all(torch.equal(v, built.state_dict()[k]) for k, v in weights.items())


def test_unknown_names_and_settings_are_refused_with_near_ones(fields: np.ndarray) -> None:
    with pytest.raises(NotFound, match="unett") as unknown:
        build(weather.blueprint(fields, "unett"))
    assert "unet" in str(unknown.value.hint)
    with pytest.raises(UsageError, match="dept") as setting:
        build(weather.blueprint(fields, "unet", settings={"dept": 2}))
    assert "depth" in str(setting.value.hint)
    with pytest.raises(UsageError, match="base"):
        build(weather.blueprint(fields, "unet", settings={"base": 0}))


def test_a_grid_that_does_not_divide_is_told_what_fits(fields: np.ndarray) -> None:
    size = (fields.shape[2], fields.shape[3])
    odd = replace(tiny(fields, "unet"), settings={"pad": "refuse", "depth": 4})
    with pytest.raises(Incompatible, match="24 by 28") as refusal:
        build(odd)
    assert "crop it to 16 by 16 or pad it to 32 by 32" in str(refusal.value.hint)
    assert size == (24, 28)


def test_a_variable_without_tendency_statistics_is_named(fields: np.ndarray) -> None:
    with pytest.raises(Incompatible, match="no 3h tendency statistics for t2m"):
        build(replace(tiny(fields, "unet"), step="3h"))


def test_a_damaged_description_is_refused(fields: np.ndarray) -> None:
    plain = blueprint_to_json(tiny(fields, "unet"))
    with pytest.raises(IntegrityError, match="damaged"):
        blueprint_from_json({k: v for k, v in plain.items() if k != "targets"})


@pytest.mark.parametrize("resolution", ["full", "quarter", "coarse-and-fine"])
@pytest.mark.parametrize("leads", [1, 2])
def test_diffusion_trains_and_samples_at_every_resolution(
    fields: np.ndarray, resolution: str, leads: int
) -> None:
    from wxreg.models.noise import MemberNoise

    plan = weather.blueprint(
        fields, "ddpm", settings={"resolution": resolution}, sampler={"steps": 3}, leads=leads
    )
    model = build(plan, seed=0)
    batch = weather.windows(fields, leads=leads).pick(slice(0, 2))
    model.loss(batch, torch.Generator().manual_seed(0)).total.backward()
    with torch.no_grad():
        drawn = model.eval().sample(batch, 3, MemberNoise(0, batch.time.tolist(), 3))
        part = model.sample(batch, 1, MemberNoise(0, batch.time.tolist(), 1, 2))
    assert drawn.shape == (2, 3, leads, 9, 24, 28)
    assert bool(torch.isfinite(drawn).all())
    assert torch.allclose(drawn[:, 2:], part, rtol=1e-4, atol=1e-2)
    assert float((drawn[:, 0] - drawn[:, 1]).abs().max()) > 0


def test_larger_sizes_of_the_ladder_have_their_class(fields: np.ndarray) -> None:
    ladder = {
        1e6: {"base": 31, "mean_base": 31},
        5e6: {"base": 55, "mean_base": 54, "widest": 3},
        50e6: {"base": 83, "mean_base": 82, "depth": 4, "widest": 4, "blocks": 2},
    }
    for size, settings in ladder.items():
        count = count_parameters(weather.blueprint(fields, "ddpm", settings=settings))
        assert 0.95 < count / size < 1.05


def test_on_the_meta_device_nothing_is_allocated(fields: np.ndarray) -> None:
    assert all(p.is_meta for p in build_on_meta(tiny(fields, "ddpm")).parameters())


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ddpm", {"base": 96, "mean_base": 96, "depth": 4, "widest": 4, "blocks": 2}),
        ("ddpm", {"base": 96, "mean_base": 96, "blocks": 2, "resolution": "quarter"}),
        ("unet", {"base": 64, "depth": 4, "blocks": 2}),
    ],
)
def test_full_scales_run_on_the_meta_device(
    fields: np.ndarray, name: str, settings: dict[str, object]
) -> None:
    from wxreg.models.noise import MemberNoise

    sampler = {"steps": 2} if name == "ddpm" else {}
    model = build_on_meta(weather.blueprint(fields, name, settings=settings, sampler=sampler))
    batch = weather.windows(fields).pick(slice(0, 1))
    meta = replace(batch, **{key: value.to("meta") for key, value in vars(batch).items()})
    with torch.no_grad():
        drawn = model.sample(meta, 2, MemberNoise(0, [0.0], 2))
    assert drawn.is_meta
    assert drawn.shape == (1, 2, 1, 9, 24, 28)


@pytest.mark.parametrize(
    ("name", "settings", "crop", "padding"),
    [
        ("unet", {"depth": 3, "pad": "refuse"}, "16 by 24", "24 by 32"),
        ("ddpm", {"depth": 1, "pad": "refuse"}, "22 by 26", "22 by 28"),
        ("ddpm", {"depth": 1, "pad": "refuse", "resolution": "quarter"}, "16 by 24", "24 by 32"),
    ],
)
def test_a_grid_that_cannot_be_halved_is_refused_with_what_fits(
    fields: np.ndarray, name: str, settings: dict[str, object], crop: str, padding: str
) -> None:
    odd = fields[..., :22, :27]
    with pytest.raises(Incompatible) as refusal:
        build(weather.blueprint(odd, name, settings=settings))
    assert refusal.value.code == "REG-440"
    assert crop in str(refusal.value.hint) and padding in str(refusal.value.hint)
    padded = {**settings, "pad": "reflect"}
    built = build(weather.blueprint(odd, name, settings=padded), 0)
    batch = weather.windows(odd).pick(slice(0, 1))
    assert built.loss(batch, torch.Generator().manual_seed(0)).total.isfinite()
