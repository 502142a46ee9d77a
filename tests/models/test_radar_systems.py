from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_worlds import (
    hilly_batch,
    hilly_blueprint,
    hilly_days,
    storm_batch,
    storm_blueprint,
    storm_events,
    synthesis_batch,
)

from wxreg.models.building import build, build_on_meta, count_parameters
from wxreg.models.forecaster import LossTerm
from wxreg.models.noise import MemberNoise
from wxreg.models.nowcasting_settings import NowcastNetSettings
from wxreg.models.nowcastnet import NowcastNetwork
from wxreg.models.radar_unet_networks import RadarUNet

EVENTS = storm_events(3, size=24, seed=4)
NOWCASTERS = {
    "nowcastnet": {"base": 4, "dilations": (1, 2, 3, 2, 1)},
    "convlstm": {"hidden": 8, "layers": 2},
}


def noise(batch, members: int) -> MemberNoise:
    return MemberNoise(7, batch.time.tolist(), members)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def wake(forecaster: torch.nn.Module) -> None:
    """Give layers that start at zero some weight, so that the network shows what it sees."""
    with torch.no_grad():
        for parameter in forecaster.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1, generator=generator())


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("base", "levels", "residual", "expected"),
    [
        (12, 4, False, 1_094_377),
        (32, 4, False, 7_765_697),
        (5, 5, True, 2_301_681),
        (32, 5, True, 94_039_041),
    ],
)
def test_the_radar_unets_have_the_counts_that_the_corrected_document_gives(
    base: int, levels: int, residual: bool, expected: int
) -> None:
    with torch.device("meta"):
        network = RadarUNet(2, 1, base=base, levels=levels, residual=residual)
    assert parameters(network) == expected


@pytest.mark.parametrize(
    ("channels", "history", "leads", "expected"),
    [(1, 12, 1, 554_529), (3, 12, 1, 556_257), (1, 13, 12, 559_148), (3, 13, 12, 560_876)],
)
def test_nowcastnet_is_the_documents_network_with_a_learned_combination_of_steps(
    channels: int, history: int, leads: int, expected: int
) -> None:
    with torch.device("meta"):
        network = NowcastNetwork(channels, history, leads, 1, NowcastNetSettings())
    averaging_head = 33
    learned_head = (32 * history + 1) * leads
    document = 554_177 + 27 * 32 * (channels - 1)
    assert parameters(network) == expected == document - averaging_head + learned_head


@pytest.mark.parametrize("name", NOWCASTERS)
@pytest.mark.parametrize("size", [(24, 24), (17, 30)])
def test_nowcasts_have_the_shape_of_their_protocol_on_any_grid(
    name: str, size: tuple[int, int]
) -> None:
    batch = storm_batch(EVENTS[..., : size[0], :], 13, 12, ("vil",))
    batch = replace(batch, inputs=torch.zeros(3, 13, 1, *size), input_mask=torch.ones(1).bool())
    forecast = build(storm_blueprint(name, NOWCASTERS[name]), 0).sample(batch, 2, noise(batch, 2))
    assert forecast.shape == (3, 2, 12, 1, *size)


@pytest.mark.parametrize("name", NOWCASTERS)
def test_the_order_of_frames_matters(name: str) -> None:
    batch = storm_batch(EVENTS, 13, 12, ("vil",))
    shuffled = batch.inputs.clone()
    shuffled[:, :12] = batch.inputs[:, :12].flip(1)
    forecaster = build(storm_blueprint(name, NOWCASTERS[name]), 0)
    wake(forecaster)
    told = forecaster.sample(batch, 1, noise(batch, 1))
    confused = forecaster.sample(replace(batch, inputs=shuffled), 1, noise(batch, 1))
    assert (told - confused).abs().max() > 1e-3


@pytest.mark.parametrize("name", NOWCASTERS)
def test_an_untrained_nowcast_is_persistence(name: str) -> None:
    batch = storm_batch(EVENTS, 13, 12, ("vil",))
    blueprint = storm_blueprint(name, NOWCASTERS[name])
    forecast = build(blueprint, 0).sample(batch, 1, noise(batch, 1))
    persistence = build(storm_blueprint("persistence", {})).sample(batch, 1, noise(batch, 1))
    torch.testing.assert_close(forecast, persistence, atol=1e-4, rtol=1e-4)


def systems() -> list[tuple[str, object, object]]:
    hilly = hilly_batch(hilly_days(2, (32, 48)))
    tiny = {"base": 4, "depth": 1, "widest": 1}
    small = {"base": 4, "levels": 2}
    made = [
        (name, storm_blueprint(name, settings), storm_batch(EVENTS, 13, 12, ("vil",)))
        for name, settings in NOWCASTERS.items()
    ]
    satellite = {"inputs": ("ir069", "ir107"), "history": 1, "leads": 1}
    texture = {"features": "seeded-random-features", "widths": (4, 4, 8, 8)}
    both = (LossTerm("mse"), LossTerm("perceptual", 0.1, texture))
    made += [
        (name, storm_blueprint(name, small, losses=losses, **satellite), synthesis_batch(EVENTS))
        for name, losses in (("radar-unet", (LossTerm("mse"),)), ("radar-resunet", both))
    ]
    for name, settings in {
        "harpnet": small,
        "downscaling-unet": small,
        "bayes-unet": small,
        "vi-unet": small,
        "sr3": tiny,
        "corrdiff": {**tiny, "mean_base": 4},
    }.items():
        losses = (LossTerm("mse"), *([LossTerm("continuity")] if name == "harpnet" else []))
        made.append((name, hilly_blueprint(name, settings, size=(32, 48), losses=losses), hilly))
    return made


SYSTEMS = systems()


@pytest.mark.parametrize(
    ("blueprint", "batch"), [s[1:] for s in SYSTEMS], ids=[s[0] for s in SYSTEMS]
)
class TestEverySystem:
    def test_a_missing_target_value_never_changes_the_loss(self, blueprint, batch) -> None:
        mask = batch.target_mask.clone()
        mask[..., 5:9, 7:20] = False
        spoiled = batch.target.clone()
        spoiled[..., 5:9, 7:20] = 1e6
        losses = [
            build(blueprint, 0).loss(replace(batch, target=target, target_mask=mask), generator())
            for target in (batch.target, spoiled)
        ]
        assert losses[0].total == losses[1].total
        whole = build(blueprint, 0).loss(batch, generator())
        assert whole.total != losses[0].total

    def test_a_missing_input_counts_as_the_mean_whatever_fills_it(self, blueprint, batch) -> None:
        mask = batch.input_mask.clone()
        mask[..., 1:3, 2:4] = False
        forecasts = []
        for fill in (0.0, 777.0):
            filled = torch.where(mask, batch.inputs, fill)
            told = replace(batch, inputs=filled, input_mask=mask)
            forecasts.append(build(blueprint, 0).sample(told, 2, noise(batch, 2)))
        assert torch.equal(*forecasts)
        assert bool(torch.isfinite(forecasts[0]).all())

    def test_members_are_the_same_however_they_are_batched(self, blueprint, batch) -> None:
        forecaster = build(blueprint, 0)
        wake(forecaster)
        together = forecaster.sample(batch, 3, noise(batch, 3))
        times = batch.time.tolist()
        apart = [forecaster.sample(batch, 1, MemberNoise(7, times, 1, m)) for m in range(3)]
        scale = together.abs().max()
        torch.testing.assert_close(
            together / scale, torch.cat(apart, dim=1) / scale, atol=1e-5, rtol=0
        )

    def test_a_step_of_training_reaches_every_trained_weight(self, blueprint, batch) -> None:
        forecaster = build(blueprint, 0)
        wake(forecaster)
        forecaster.loss(batch, generator()).total.backward()
        still = [
            name for name, p in forecaster.named_parameters() if p.requires_grad and p.grad is None
        ]
        assert not still

    def test_equal_seeds_give_equal_losses(self, blueprint, batch) -> None:
        first, second = (build(blueprint, 0).loss(batch, generator()).total for _ in range(2))
        assert torch.equal(first, second)


FULL = [
    ("nowcastnet", {}, {"history": 12, "leads": 1, "size": 384}),
    ("nowcastnet", {}, {"inputs": ("vil", "ir069", "ir107"), "size": 192}),
    ("convlstm", {}, {"size": 384}),
    ("radar-unet", {}, {"inputs": ("ir069", "ir107"), "history": 1, "leads": 1, "size": 192}),
    (
        "radar-resunet",
        {"levels": 5},
        {"inputs": ("ir069", "ir107"), "history": 1, "leads": 1, "size": 384},
    ),
]


@pytest.mark.parametrize(("name", "settings", "options"), FULL)
def test_full_scale_radar_systems_build_and_run_without_memory(name, settings, options) -> None:
    blueprint = storm_blueprint(name, settings, **options)
    forecaster = build_on_meta(blueprint)
    assert count_parameters(blueprint) > 100_000
    size, leads = options["size"], blueprint.leads
    with torch.device("meta"):
        shape = (1, blueprint.history, len(blueprint.inputs), size, size)
        inputs = torch.zeros(shape)
        batch = replace(
            storm_batch(EVENTS[:1], 1, 1, ("vil",)),
            inputs=inputs,
            input_mask=inputs.bool(),
            lead_hours=torch.zeros(1, leads),
        )
        forecast = forecaster.sample(
            batch, 1, noise(replace(batch, time=torch.zeros(1, device="cpu")), 1)
        )
    assert forecast.shape == (1, 1, leads, 1, size, size)
