from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_worlds import hilly_batch, hilly_blueprint, hilly_days

from wxreg.errors import Incompatible, UsageError
from wxreg.models.building import build, build_on_meta, count_parameters, load_weights
from wxreg.models.downscaling_network import DownscalingNetwork
from wxreg.models.ensembles import CheckpointEnsemble, average_weights, choose_soup
from wxreg.models.forecaster import LossTerm
from wxreg.models.harpnet_network import AttentionGate, HarpNetwork
from wxreg.models.heads import with_head
from wxreg.models.noise import MemberNoise
from wxreg.models.stochastic_layers import ChannelDropout, GeneratorNoise, VariationalConvolution
from wxreg.models.tiling import TiledForecaster, Tiling, blend_tiles

SIZE = (32, 48)
BATCH = hilly_batch(hilly_days(3, SIZE))
TINY = {"base": 4, "depth": 1, "widest": 1, "mean_base": 4}
STUDENT = {**TINY, "teacher_steps": 6, "student_steps": 2}


def noise(members: int, seed: int = 7) -> MemberNoise:
    return MemberNoise(seed, BATCH.time.tolist(), members)


def awake(name: str, settings: dict, **options):
    forecaster = build(hilly_blueprint(name, settings, size=SIZE, **options), 0)
    with torch.no_grad():
        for parameter in forecaster.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))
    return forecaster


def test_attention_weighs_each_place_between_nothing_and_all() -> None:
    gate = AttentionGate(6)
    decoder, skip = torch.randn(2, 6, 9, 11), torch.randn(2, 6, 9, 11)
    weights = gate.attention(decoder, skip)
    assert weights.shape == (2, 1, 9, 11)
    assert weights.min() >= 0
    assert weights.max() <= 1
    torch.testing.assert_close(gate(decoder, skip), skip * weights)


def test_harpnet_drops_out_less_towards_the_top() -> None:
    network = HarpNetwork(3, 1, base=4, levels=4, dropout=(0.5, 0.1))
    rates = [layer.rate for layer in network.modules() if isinstance(layer, ChannelDropout)]
    assert rates == pytest.approx([0.5, 0.5 - 0.4 / 3, 0.5 - 0.8 / 3, 0.1])


def test_a_cell_of_harpnet_is_untouched_by_what_lies_beyond_its_reach() -> None:
    """A tile and the whole field agree away from the tile's edge: there is no seam to see."""
    network = HarpNetwork(2, 1, base=6, levels=1, dropout=(0.5, 0.1))
    torch.nn.init.normal_(network.head.weight)
    field = torch.randn(1, 2, 32, 96)
    whole = network(field)
    left, right = network(field[..., :64]), network(field[..., 32:])
    reach = 14
    torch.testing.assert_close(left[..., : 64 - reach], whole[..., : 64 - reach])
    torch.testing.assert_close(right[..., reach:], whole[..., 32 + reach :])
    assert not torch.allclose(left[..., -1], whole[..., 63])


def test_blended_tiles_show_no_seam() -> None:
    """Across tile boundaries the field jumps no more than it does inside tiles."""
    forecaster = awake("harpnet", {"base": 4, "levels": 2}, factor=4)
    batch = hilly_batch(hilly_days(1, (32, 128)), factor=4)
    tiling = Tiling((32, 128), 64, 16)

    def tile(rows: slice, columns: slice) -> torch.Tensor:
        coarse = slice(columns.start // 4, columns.stop // 4)
        part = replace(
            batch,
            inputs=batch.inputs[..., coarse],
            input_mask=batch.input_mask[..., coarse],
            static=batch.static[..., columns],
        )
        return forecaster.sample(part, 1, MemberNoise(0, [0.0], 1))[0, 0, 0, 1]

    stitched = blend_tiles(tiling, tile)
    whole = forecaster.sample(batch, 1, MemberNoise(0, [0.0], 1))[0, 0, 0, 1]
    difference = stitched - whole
    edges = [columns.stop - 1 for _, columns in tiling.windows() if columns.stop < 128]
    jumps = difference.diff(dim=1).abs().mean(dim=0)
    natural = whole.diff(dim=1).abs().mean()
    assert jumps[edges].max() < 0.25 * natural


def test_the_halo_of_a_training_tile_is_not_scored() -> None:
    blueprint = hilly_blueprint("harpnet", {"base": 4, "levels": 1, "halo": 8}, size=SIZE)
    spoiled = BATCH.target.clone()
    spoiled[..., :8, :] = spoiled[..., -8:, :] = spoiled[..., :8] = spoiled[..., -8:] = 99.0
    losses = [
        build(blueprint, 0).loss(replace(BATCH, target=target), torch.Generator().manual_seed(0))
        for target in (BATCH.target, spoiled)
    ]
    assert losses[0].total == losses[1].total


def test_continuity_vanishes_where_a_network_sees_single_cells() -> None:
    losses = (LossTerm("mse"), LossTerm("continuity", 0.5))
    blueprint = hilly_blueprint("harpnet", {"base": 4, "levels": 2}, size=SIZE, losses=losses)
    flat = build(blueprint, 0)
    assert flat.loss(BATCH, torch.Generator()).terms["continuity"] == 0
    alive = awake("harpnet", {"base": 4, "levels": 2}, losses=losses)
    assert alive.loss(BATCH, torch.Generator()).terms["continuity"] > 0


@pytest.mark.parametrize("name", ["downscaling-unet", "harpnet"])
def test_an_untrained_downscaler_is_bilinear_in_normalised_space(name: str) -> None:
    forecaster = build(hilly_blueprint(name, {"base": 4, "levels": 2}, size=SIZE), 0)
    fine = forecaster.sample(BATCH, 1, noise(1))
    bilinear = build(hilly_blueprint("bilinear", {}, size=SIZE)).sample(BATCH, 1, noise(1))
    torch.testing.assert_close(fine, bilinear, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("bayes-unet", {"base": 4, "levels": 2, "dropout": 0.3}),
        ("vi-unet", {"base": 4, "levels": 2, "initial_std": 0.2}),
        ("sr3", {"base": 4, "depth": 1, "widest": 1}),
        ("corrdiff", TINY),
        ("downscaling-unet", {"base": 4, "levels": 2, "heteroscedastic": True, "aleatoric": True}),
    ],
)
def test_ensembles_are_alive_and_follow_their_noise_alone(name: str, settings: dict) -> None:
    forecaster = awake(name, settings).eval()
    first, again = (forecaster.sample(BATCH, 4, noise(4)) for _ in range(2))
    other = forecaster.sample(BATCH, 4, noise(4, seed=8))
    assert torch.equal(first, again)
    assert first.shape == (3, 4, 1, 2, *SIZE)
    assert first.std(dim=1).mean() > 1e-4
    assert not torch.equal(first, other)
    assert bool((first[:, :, :, 0] >= 0).all()), "precipitation is never negative"


PHYSICS = (
    LossTerm("conservation", 0.1, {"variables": ("precip_24h", "tmax")}),
    LossTerm("bounds", 0.1, {"bounds": {"precip_24h": (0.0, None)}}),
    LossTerm("clausius-clapeyron", 0.1, {"temperature": "tmax"}),
)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("downscaling-unet", {"base": 4, "levels": 2, "heteroscedastic": True}),
        ("bayes-unet", {"base": 4, "levels": 2, "heteroscedastic": True}),
        ("vi-unet", {"base": 4, "levels": 2, "heteroscedastic": True}),
        ("sr3", {"base": 4, "depth": 1, "widest": 1}),
        ("corrdiff", TINY),
    ],
)
def test_physics_and_likelihood_terms_teach_every_relative(name: str, settings: dict) -> None:
    likelihood = (LossTerm("gaussian-nll"),) if settings.get("heteroscedastic") else ()
    forecaster = awake(name, settings, losses=(*likelihood, *PHYSICS))
    report = forecaster.loss(BATCH, torch.Generator().manual_seed(0))
    declared = {term.name for term in (*likelihood, *PHYSICS)}
    assert declared <= set(report.terms)
    assert report.terms["conservation"] > 0
    report.terms["conservation"].backward()
    assert any(p.grad is not None and p.grad.any() for p in forecaster.parameters())


@pytest.mark.parametrize("draws", [False, True])
def test_physics_is_asked_of_the_spread_only_where_members_carry_it(draws: bool) -> None:
    settings = {"base": 4, "levels": 2, "heteroscedastic": True, "aleatoric": draws}
    losses = (LossTerm("gaussian-nll"), *PHYSICS)
    forecaster = awake("bayes-unet", settings, losses=losses)
    seen: list[torch.Tensor] = []
    predict = forecaster.predict
    forecaster.predict = lambda *given: seen.extend(predict(*given)) or tuple(seen)
    terms = forecaster.loss(BATCH, torch.Generator().manual_seed(0)).terms
    (pull,) = torch.autograd.grad(terms["conservation"], seen[1:], allow_unused=True)
    assert (pull is not None and bool(pull.any())) == draws


def test_physics_is_asked_of_what_a_diffusion_draws_and_not_of_its_mean() -> None:
    """The mean of what could be need not keep what each member keeps."""
    forecaster = awake("corrdiff", TINY, losses=(LossTerm("mse"), *PHYSICS))
    report = forecaster.loss(BATCH, torch.Generator().manual_seed(0))
    report.terms["conservation"].backward()
    assert all(p.grad is None or not p.grad.any() for p in forecaster.mean.parameters())
    assert any(p.grad is not None and p.grad.any() for p in forecaster.diffusion.parameters())


def test_variational_divergence_is_zero_at_the_prior_and_matches_torch() -> None:
    layer = VariationalConvolution(2, 3, 3, initial_std=0.3, prior_std=0.3)
    with torch.no_grad():
        layer.weight_mean.zero_()
    torch.testing.assert_close(layer.divergence(), torch.tensor(0.0), atol=1e-4, rtol=0)
    layer = VariationalConvolution(2, 3, 3, initial_std=0.05, prior_std=0.3)
    posterior = torch.distributions.Normal(layer.weight_mean, layer.weight_std)
    prior = torch.distributions.Normal(torch.zeros(3, 2, 3, 3), 0.3)
    expected = torch.distributions.kl_divergence(posterior, prior).sum()
    torch.testing.assert_close(layer.divergence(), expected)


def test_a_variational_row_is_an_ordinary_convolution_with_its_own_weights() -> None:
    layer = VariationalConvolution(2, 3, 3, initial_std=0.3, prior_std=0.3)
    fields = torch.randn(4, 2, 6, 7)
    output = layer(fields, GeneratorNoise(torch.Generator().manual_seed(5)))
    draws = torch.randn((4, 3, 2, 3, 3), generator=torch.Generator().manual_seed(5))
    for row in range(4):
        weight = layer.weight_mean + layer.weight_std * draws[row]
        alone = torch.nn.functional.conv2d(fields[row : row + 1], weight, layer.bias, padding=1)
        torch.testing.assert_close(output[row : row + 1], alone, atol=1e-5, rtol=1e-4)


def test_the_diffusion_never_moves_the_regression_mean() -> None:
    losses = (LossTerm("mse", 0.0), LossTerm("denoising", 1.0))
    forecaster = awake("corrdiff", TINY, losses=losses)
    forecaster.loss(BATCH, torch.Generator().manual_seed(0)).total.backward()
    moved = [p.grad.abs().max() for p in forecaster.mean.parameters() if p.grad is not None]
    assert max(moved, default=torch.tensor(0.0)) == 0
    assert any(p.grad.abs().max() > 0 for p in forecaster.diffusion.parameters())


def test_a_mean_on_coarser_cells_says_nothing_about_the_finest_scales() -> None:
    """Even rough weights leave less than a hundredth of the power in the finest waves."""
    planes = torch.randn(2, 7, 64, 64, generator=torch.Generator().manual_seed(1))
    shares = []
    for factor in (1, 2):
        forecaster = awake("corrdiff", {**TINY, "mean_factor": factor})
        mean = forecaster.regress(planes[:, : forecaster.space.planes_count]).detach()
        power = torch.fft.fft2(mean).abs().square().mean(dim=(0, 1))[:, :32]
        shares.append(float(power[24:40, 24:].sum() / power[1:, 1:].sum()))
    assert shares[0] > 0.01 > 10 * shares[1]


class TestDistillation:
    def student(self):
        teacher = awake("corrdiff", TINY)
        student = build(hilly_blueprint("corrdiff-fast", STUDENT, size=SIZE), 0)
        student.adopt(teacher.state_dict())
        return teacher, student

    def test_a_student_without_a_teacher_says_so(self) -> None:
        student = build(hilly_blueprint("corrdiff-fast", STUDENT, size=SIZE), 0)
        with pytest.raises(Incompatible, match="no teacher"):
            student.loss(BATCH, torch.Generator())

    def test_a_teacher_of_another_shape_is_refused(self) -> None:
        student = build(hilly_blueprint("corrdiff-fast", STUDENT, size=SIZE), 0)
        with pytest.raises(Incompatible, match="layer"):
            student.adopt(awake("corrdiff", {**TINY, "base": 8}).state_dict())

    def test_only_the_student_learns(self) -> None:
        _, student = self.student()
        before = {name: value.clone() for name, value in student.state_dict().items()}
        optimiser = torch.optim.Adam([p for p in student.parameters() if p.requires_grad], lr=1e-2)
        student.loss(BATCH, torch.Generator().manual_seed(0)).total.backward()
        optimiser.step()
        changed = {
            name.split(".")[0]
            for name, value in student.state_dict().items()
            if not torch.equal(value, before[name])
        }
        assert changed == {"diffusion"}

    def test_few_calls_of_the_network_make_a_member(self) -> None:
        teacher, student = self.student()
        calls = []
        for forecaster in (teacher, student):
            counted = []
            handle = forecaster.diffusion.network.register_forward_hook(
                lambda *_, counted=counted: counted.append(1)
            )
            forecaster.sample(BATCH, 2, noise(2))
            handle.remove()
            calls.append(len(counted))
        assert calls == [23, 2]

    def test_its_own_checkpoint_is_enough(self) -> None:
        _, student = self.student()
        other = build(hilly_blueprint("corrdiff-fast", STUDENT, size=SIZE), 1)
        load_weights(other, student.state_dict())
        torch.testing.assert_close(
            other.sample(BATCH, 2, noise(2)), student.sample(BATCH, 2, noise(2))
        )


class TestCheckpointEnsembles:
    blueprint = hilly_blueprint("harpnet", {"base": 4, "levels": 1}, size=SIZE)

    def test_each_checkpoint_is_one_member(self) -> None:
        members = [awake("harpnet", {"base": 4, "levels": 1}) for _ in range(2)]
        with torch.no_grad():
            members[1].network.head.bias.add_(0.5)
        both = CheckpointEnsemble(members).sample(BATCH, 2, noise(2))
        for place, member in enumerate(members):
            torch.testing.assert_close(
                both[:, place : place + 1], member.sample(BATCH, 1, noise(1))
            )

    def test_more_members_than_checkpoints_are_refused(self) -> None:
        ensemble = CheckpointEnsemble([build(self.blueprint, seed) for seed in range(2)])
        with pytest.raises(Incompatible, match="3 members were asked, but there are 2"):
            ensemble.sample(BATCH, 3, noise(3))
        with pytest.raises(UsageError):
            CheckpointEnsemble([])

    def test_averaging_takes_the_mean_of_every_layer(self) -> None:
        states = [build(self.blueprint, seed).state_dict() for seed in range(3)]
        soup = average_weights(states)
        for name, value in soup.items():
            torch.testing.assert_close(value, sum(state[name] for state in states) / 3)
        with pytest.raises(Incompatible, match="different layers"):
            average_weights([states[0], {"other": torch.zeros(1)}])

    def test_a_soup_leaves_out_what_makes_validation_worse(self) -> None:
        states = [{"w": torch.tensor([value])} for value in (0.8, 1.3, 9.0)]
        soup, chosen = choose_soup(states, lambda state: float((state["w"] - 1.0).abs()))
        assert chosen == (0, 1)
        torch.testing.assert_close(soup["w"], torch.tensor([1.05]))


def test_a_target_that_is_no_multiple_of_its_input_is_refused() -> None:
    with pytest.raises(Incompatible, match="no whole multiple"):
        build(replace(hilly_blueprint("bilinear", {}), target_shape=(65, 120)))


def test_the_network_takes_tiles_of_any_size() -> None:
    network = DownscalingNetwork(3, 2, base=4, levels=3)
    for size in ((16, 16), (40, 24), (33, 50)):
        assert network(torch.zeros(1, 3, *size)).shape == (1, 2, *size)


FULL = {
    "harpnet": {},
    "downscaling-unet": {"base": 64, "levels": 4, "heteroscedastic": True},
    "bayes-unet": {"base": 64, "levels": 4},
    "vi-unet": {"base": 64, "levels": 4},
    "sr3": {"base": 128, "depth": 4, "widest": 8, "blocks": 2},
    "corrdiff": {"base": 128, "mean_base": 128, "depth": 4, "widest": 8, "blocks": 2},
    "corrdiff-fast": {"base": 128, "mean_base": 128, "depth": 4, "widest": 8, "blocks": 2},
}


@pytest.mark.parametrize("name", FULL)
def test_full_scale_downscalers_build_and_run_without_memory(name: str) -> None:
    blueprint = hilly_blueprint(name, FULL[name], size=(256, 384))
    forecaster = build_on_meta(blueprint)
    assert count_parameters(blueprint) > 1_000_000
    batch = hilly_batch(hilly_days(1, (256, 384)))
    names = ("inputs", "input_mask", "static", "target", "target_mask", "time")
    moved = replace(batch, **{name: getattr(batch, name).to("meta") for name in names})
    assert forecaster.loss(moved, torch.Generator()).total.shape == ()


HEADED = {"base": 4, "levels": 2, "heteroscedastic": True}
LIKELY = (LossTerm("gaussian-nll"),)


@pytest.mark.parametrize("name", ["downscaling-unet", "bayes-unet", "vi-unet"])
def test_members_come_from_the_density_that_is_kept_beside_them(name: str) -> None:
    """The parameters move no member, and a drawn member lies as far out as its noise says."""
    forecaster = awake(name, {**HEADED, "aleatoric": True}, losses=LIKELY).eval()
    plain = forecaster.sample(BATCH, 4, noise(4))
    kept = with_head(forecaster).sample(BATCH, 4, noise(4))
    made, mean, deviation = kept.chunk(3, dim=3)
    assert torch.equal(made, plain)
    assert bool((deviation > 0).all())
    warm = [channel.name for channel in forecaster.blueprint.targets].index("tmax")
    drawn = ((made - mean) / deviation).detach()[:, :, :, warm]
    assert abs(float(drawn.mean())) < 0.05
    assert float(drawn.std()) == pytest.approx(1.0, abs=0.05)


def test_parameters_are_kept_of_tiles_and_of_each_checkpoint() -> None:
    each = [awake("downscaling-unet", HEADED, losses=LIKELY).eval() for _ in range(2)]
    ensemble = with_head(CheckpointEnsemble(each))
    assert ensemble.sample(BATCH, 2, noise(2)).shape == (3, 2, 1, 6, *SIZE)
    tiled = TiledForecaster(with_head(each[0]), 32, 16)
    assert tiled.sample(BATCH, 2, noise(2)).shape == (3, 2, 1, 6, *SIZE)


@pytest.mark.parametrize(
    ("name", "settings", "losses"),
    [
        ("downscaling-unet", {"base": 4, "levels": 2}, (LossTerm("mse"),)),
        ("downscaling-unet", HEADED, (LossTerm("mse"),)),
        (
            "downscaling-unet",
            HEADED,
            (*LIKELY, LossTerm("shifted-gamma-nll", 1.0, {"variable": "precip_24h"})),
        ),
        ("harpnet", {"base": 4, "levels": 2}, (LossTerm("mse"),)),
    ],
)
def test_a_system_without_a_normal_head_has_no_parameters(
    name: str, settings: dict, losses: tuple[LossTerm, ...]
) -> None:
    with pytest.raises(Incompatible, match="no normal head") as caught:
        with_head(awake(name, settings, losses=losses))
    assert caught.value.code == "REG-461"
