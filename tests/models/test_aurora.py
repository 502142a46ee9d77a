from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import synthetic_weather as weather
import torch

from wxreg.errors import ExternalError, Incompatible, IntegrityError
from wxreg.models.aurora_names import lay_out
from wxreg.models.aurora_shapes import shapes_only
from wxreg.models.aurora_timm import _substitute, load_aurora
from wxreg.models.building import build, build_on_meta, load_weights
from wxreg.models.forecaster import Blueprint, Channel
from wxreg.models.noise import MemberNoise

try:
    load_aurora()
except ExternalError:
    pytest.skip("microsoft-aurora is an extra and not installed", allow_module_level=True)


TINY = {
    "patch_size": 4, "embed_dim": 16, "num_heads": 2, "window_size": [2, 2, 2],
    "encoder_depths": [2, 2], "encoder_num_heads": [2, 4], "decoder_depths": [2, 2],
    "decoder_num_heads": [4, 2], "latent_levels": 2, "mlp_ratio": 2.0, "residual": True,
}  # fmt: skip
SMALL = {
    "embed_dim": 256, "num_heads": 8, "encoder_depths": [2, 6, 2],
    "encoder_num_heads": [4, 8, 16], "decoder_depths": [2, 6, 2],
    "decoder_num_heads": [16, 8, 4], "stabilise_level_agg": False,
}  # fmt: skip
TRIO = {
    "network": TINY,
    "members": {
        "reflectivity": {"variables": ["t2m", "refc", "t"], "weights": {"t2m": 1.0}},
        "thermodynamic": {"variables": ["t2m", "cape_sb", "t"], "weights": {"t2m": 3.0}},
        "kinematic": {"variables": ["u10", "v10", "u"]},
    },
}
OPTIONS = {
    "aurora": TINY,
    "aurora-head": {**TINY, "head_variables": ["refc", "cape_sb"], "head_weights": {"refc": 2.0}},
    "aurora-multiscale": TINY,
    "aurora-trio": TRIO,
}


def plan(fields: np.ndarray, name: str = "aurora", **changes: object) -> Blueprint:
    return weather.blueprint(fields, name, **{"settings": OPTIONS[name], **changes})


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_trains_and_samples(fields: np.ndarray, name: str) -> None:
    model = build(plan(fields, name), seed=0)
    batch = weather.windows(fields).pick(slice(0, 2))
    report = model.loss(batch, torch.Generator().manual_seed(0))
    report.total.backward()
    idle = [n for n, p in model.named_parameters() if p.grad is None]
    assert not [n for n in idle if "lora" not in n]
    with torch.no_grad():
        drawn = model.eval().sample(batch, 2, MemberNoise(0, batch.time.tolist(), 2))
    assert drawn.shape == (2, 2, 1, 9, 24, 28)
    assert bool(torch.isfinite(drawn).all())


def test_the_network_is_the_published_one(fields: np.ndarray) -> None:
    import aurora

    model = build_on_meta(plan(fields, settings=SMALL))
    with torch.device("cpu"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        published = aurora.AuroraSmall(stabilise_level_agg=False)
    added = {"refc", "cape_sb", "q", "v", "z", "msl", "slt", "lsm"}

    def names(network: torch.nn.Module) -> set[str]:
        return {n for n in network.state_dict() if added.isdisjoint(n.split("."))}

    assert isinstance(model.network, aurora.Aurora)
    assert names(model.network) == names(published)


def influence(model: torch.nn.Module, batch: weather.TinyBatch) -> torch.Tensor:
    """How much the west edge of the input moves the east edge of the forecast."""
    inputs = batch.inputs.clone().requires_grad_()
    changes, _ = model.changes(replace(batch, inputs=inputs))
    (pull,) = torch.autograd.grad(changes[..., -4:].sum(), inputs)
    return pull[..., :4].abs().max()


def test_unwarped_edges_do_not_feel_each_other() -> None:
    fields = weather.world(4, size=(32, 256))
    batch = weather.windows(fields).pick(slice(0, 1))
    regional, globe = (
        build(plan(fields, settings={**TINY, "warped": warped, "residual": False}), seed=0)
        for warped in (False, True)
    )
    with torch.no_grad():
        for parameter in regional.parameters():
            parameter.normal_(std=0.3, generator=torch.Generator().manual_seed(parameter.numel()))
    globe.load_state_dict(regional.state_dict())
    assert float(influence(globe, batch)) > 0
    assert float(influence(regional, batch)) == 0


def test_models_with_other_statistics_coexist(fields: np.ndarray) -> None:
    from aurora import normalisation

    before = dict(normalisation.locations), dict(normalisation.scales)
    batch = weather.windows(fields).pick(slice(0, 1))
    first = build(plan(fields), seed=0).eval()
    alone = first.loss(batch, torch.Generator()).total
    other = plan(fields)
    shifted = {k: replace(v, mean=v.mean + 50) for k, v in other.statistics.items()}
    second = build(replace(other, statistics=shifted), seed=0).eval()
    second.loss(batch, torch.Generator())
    assert torch.equal(first.loss(batch, torch.Generator()).total, alone)
    assert (normalisation.locations, normalisation.scales) == before


def test_statistics_that_something_changed_are_noticed(fields: np.ndarray) -> None:
    model = build(plan(fields))
    model.network.surf_stats["refc"] = (20.0, 30.0)
    with pytest.raises(IntegrityError, match="surface refc"):
        model.numbers.verify(model.network)


def test_aurora_gives_back_what_the_residual_says(fields: np.ndarray) -> None:
    """With silent heads the forecast is the last input step: units, order and padding are right."""
    model = build(plan(fields), seed=0).eval()
    with torch.no_grad():
        for name, parameter in model.network.named_parameters():
            if "heads" in name:
                parameter.zero_()
        batch = weather.windows(fields).pick(slice(0, 2))
        drawn = model.sample(batch, 1, MemberNoise(0, [0.0, 1.0], 1))[:, 0, 0]
    scale = model.space.targets.std
    assert float(((drawn - batch.inputs[:, -1]) / scale).abs().max()) < 1e-4


def test_a_grid_beside_the_patch_is_padded_or_refused(fields: np.ndarray) -> None:
    odd = fields[..., :22, :27]
    model = build(plan(odd), seed=0)
    batch = weather.windows(odd).pick(slice(0, 1))
    assert model.sample(batch, 1, MemberNoise(0, [0.0], 1)).shape[-2:] == (22, 27)
    with pytest.raises(Incompatible, match="patch of Aurora") as refusal:
        build(plan(odd, settings={**TINY, "pad": "refuse"}))
    assert "20 by 24" in str(refusal.value.hint)


def test_rows_from_south_to_north_are_refused(fields: np.ndarray) -> None:
    batch = weather.windows(fields).pick(slice(0, 1))
    with pytest.raises(Incompatible, match="north to south"):
        build(plan(fields)).loss(replace(batch, lat=batch.lat.flip(0)), torch.Generator())


def test_targets_must_be_inputs_and_levels_must_exist(fields: np.ndarray) -> None:
    with pytest.raises(Incompatible, match="v10"):
        build(plan(fields, targets=tuple(c for c in weather.CHANNELS if c.variable != "v10")))
    surface = tuple(c for c in weather.CHANNELS if c.level is None)
    with pytest.raises(Incompatible, match="pressure levels"):
        build(plan(fields, inputs=surface, targets=surface))


def test_incomplete_columns_are_carried_at_the_surface() -> None:
    layout = lay_out([Channel("t2m"), *(Channel("t", p) for p in (500, 850)), Channel("w", 500)])
    assert layout.surface_names == ("2t", "w_at_500")
    assert layout.atmosphere_names == ("t",)
    assert layout.levels == (500, 850)


def test_lora_trains_its_matrices_and_what_is_new(fields: np.ndarray) -> None:
    settings = {**TINY, "use_lora": True, "train_only": "lora-and-new"}
    model = build_on_meta(plan(fields, settings=settings))
    trained = {n for n, p in model.network.named_parameters() if p.requires_grad}
    assert any("lora_A" in name for name in trained)
    assert any("refc" in name for name in trained)
    assert all("lora_" in n or "refc" in n or "cape_sb" in n or "orog" in n for n in trained)


def test_the_full_scale_runs_on_the_meta_device(fields: np.ndarray) -> None:
    settings = {"use_lora": True, "train_only": "lora-and-new", "recompute": True, "bf16": True}
    model = build_on_meta(plan(fields, settings=settings))
    assert 1.2e9 < sum(p.numel() for p in model.parameters()) < 1.4e9
    batch = weather.windows(fields).pick(slice(0, 1))
    names = ("inputs", "input_mask", "static", "lead_hours", "lat", "lon")
    meta = replace(batch, **{name: getattr(batch, name).to("meta") for name in names})
    with shapes_only(), torch.no_grad():
        drawn = model.sample(meta, 1, MemberNoise(0, [0.0], 1))
    assert drawn.is_meta
    assert drawn.shape == (1, 1, 1, 9, 24, 28)


def test_a_trio_without_a_member_is_refused(fields: np.ndarray) -> None:
    members = {k: v for k, v in TRIO["members"].items() if k != "kinematic"}
    with pytest.raises(Incompatible, match="lacks its kinematic member"):
        build(plan(fields, "aurora-trio", settings={"network": TINY, "members": members}))
    less = {**TRIO["members"], "kinematic": {"variables": ["u10", "u"]}}
    with pytest.raises(Incompatible, match="no member predicts v10"):
        build(plan(fields, "aurora-trio", settings={"network": TINY, "members": less}))


def test_overlapping_variables_are_combined_by_weight(fields: np.ndarray) -> None:
    model = build(plan(fields, "aurora-trio"), seed=0).eval()
    batch = weather.windows(fields).pick(slice(0, 1))
    noise = MemberNoise(0, [0.0], 1)
    with torch.no_grad():
        whole = model.sample(batch, 1, noise)[:, 0]
        first, second = (
            model.members[role].sample(model._view(batch, role), 1, noise)[:, 0]
            for role in ("reflectivity", "thermodynamic")
        )
    assert torch.allclose(whole[:, :, 0], 0.25 * first[:, :, 0] + 0.75 * second[:, :, 0])


def test_scales_are_seen_equally_often(fields: np.ndarray) -> None:
    model = build(plan(fields, "aurora-multiscale"), seed=0)
    generator = torch.Generator().manual_seed(0)
    drawn = [model._next_scale(generator) for _ in range(30)]
    assert all(sorted(drawn[i : i + 3]) == [0, 1, 2] for i in range(0, 30, 3))
    assert drawn[:3] != drawn[3:6] or drawn[:3] != drawn[6:9]


def test_weights_of_another_variable_set_are_refused(fields: np.ndarray) -> None:
    fewer = tuple(c for c in weather.CHANNELS if c.variable != "refc")
    weights = build(plan(fields, inputs=fewer, targets=fewer)).state_dict()
    with pytest.raises(Incompatible, match="refc"):
        load_weights(build(plan(fields)), weights)


def test_a_stand_in_for_timm_is_enough() -> None:
    names = _substitute()
    assert names["timm.layers"].to_2tuple(3) == (3, 3)
    assert names["timm.layers"].to_3tuple((1, 2, 3)) == (1, 2, 3)
    dropped = names["timm.layers"].DropPath(0.5)(torch.ones(64, 2))
    assert set(dropped.flatten().tolist()) == {0.0, 2.0}
    assert "timm" in sys.modules


def test_aurora_may_be_imported_first_on_the_meta_device() -> None:
    code = (
        "import torch\n"
        "from wxreg.models.aurora_timm import load_aurora\n"
        "with torch.device('meta'): load_aurora()\n"
        "from aurora.model.fourier import scale_expansion\n"
        "print(scale_expansion.lower > 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
