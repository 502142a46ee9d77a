"""Declared options of a sample plan are carried out, and recorded with the forecast."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from noisy_world import TIMES, NoisyWorld, fields_of
from tiny_world import World, fields, make_world

from wxreg.data.forecast_files import open_forecast, read_claim
from wxreg.errors import Incompatible, UsageError
from wxreg.models.compiling import compiling, require_compiler
from wxreg.runs.reproducing import reproduce
from wxreg.runs.sampling.post_processing import Correction, PostProcessing, fit_post_processing
from wxreg.specs.sampling import PostStep

GONE = ("2023-01-05T06:00", "2023-01-05T10:00", "2023-01-05T11:00")


@pytest.fixture(scope="module")
def plain(made_world: World, tmp_path_factory: pytest.TempPathFactory) -> NoisyWorld:
    """A world in which the deterministic network was trained for three steps."""
    root = tmp_path_factory.mktemp("plain") / "world"
    return NoisyWorld.make(World(shutil.copytree(made_world.root, root)), "tiny-v1")


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> NoisyWorld:
    """The same in a world that lacks one hour, and later two hours."""
    data = fields()
    gone = np.array(GONE, "datetime64[ns]")
    root = tmp_path_factory.mktemp("gappy") / "world"
    world = make_world(root, data.sel(time=~np.isin(data.time.values, gone)))
    return NoisyWorld.make(world, "tiny-v1")


def difference(one: Path, two: Path) -> dict[str, float]:
    a, b = open_forecast(one), open_forecast(two)
    return {str(name): float(np.abs(a[name] - b[name]).max()) for name in a.data_vars}


@pytest.mark.parametrize("precision", ["bf16", "16", "int8"])
def test_smaller_weights_store_how_far_they_really_moved_the_forecast(
    noisy: NoisyWorld, precision: str
) -> None:
    once = {"times": ("2023-01-05T00:00",), "members": 2}
    full = noisy.sample(noisy.plan(**once))
    made = noisy.sample(noisy.plan(f"sampling.precision={precision}", **once))
    stored = noisy.record(made.run).outcome["deviation"]
    assert 0 < stored["root_mean_square"] < stored["largest"] < 1
    assert stored["variables"] == pytest.approx(difference(full.forecast, made.forecast), rel=1e-4)
    assert "deviation" not in noisy.record(full.run).outcome


def test_numbers_that_overflow_are_refused(plain: NoisyWorld) -> None:
    from wxreg.models.precision import measured_deviation

    full = torch.ones(1, 1, 1, 2, 2)
    with pytest.raises(Incompatible, match="overflow") as caught:
        measured_deviation(full, full / 0.0, ["t2m"])
    assert "bf16" in str(caught.value.hint)


@pytest.mark.slow
def test_a_compiled_network_forecasts_the_same_to_rounding(plain: NoisyWorld) -> None:
    full = plain.sample(plain.plan())
    made = plain.sample(plain.plan("sampling.compile=true"))
    stored = plain.record(made.run).outcome["deviation"]
    assert 0 <= stored["largest"] < 1e-4
    moved = difference(full.forecast, made.forecast)
    assert all(moved[name] <= 1e-3 for name in moved)
    assert list((plain.world.root / ".reg" / "cache" / "compiled").rglob("*.cpp"))
    with plain.world.ledger() as ledger:
        again = reproduce(plain.world.library, ledger, made.run, quiet=True)
    assert again.verdict == "identical"


@pytest.mark.slow
def test_compiling_works_below_a_folder_with_a_space(
    plain: NoisyWorld, tmp_path: Path, reg_command: list[str]
) -> None:
    root = shutil.copytree(plain.world.root, tmp_path / "a world")
    NoisyWorld.make(World(root), "tiny-v1", "training.steps=4")
    command = ("sample", "tiny-v1", "--set", "training.steps=4", "--set", "sampling.compile=true")
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [*reg_command, *command, "--limit", "1", "--device", "cpu"],
        cwd=root,
        env={**os.environ, **cache},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("cache/**/*.cpp"))


def test_the_linker_is_given_the_folder_of_torch_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._inductor.cpp_builder import CppBuilder, CppTorchOptions
    from torch._inductor.cpu_vec_isa import invalid_vec_isa
    from torch.utils import cpp_extension

    monkeypatch.setattr(cpp_extension, "TORCH_LIB_PATH", "/a lab/torch/lib")
    with compiling(tmp_path):
        options = CppTorchOptions(vec_isa=invalid_vec_isa)
        command = CppBuilder("made", "made.cpp", options, str(tmp_path)).get_command_line()
    assert "-L/a lab/torch/lib" in shlex.split(command)
    assert cpp_extension.TORCH_LIB_PATH == "/a lab/torch/lib"


def test_without_a_compiler_compiling_is_refused_in_plain_words(
    plain: NoisyWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Incompatible, match="C\\+\\+ compiler") as caught:
        require_compiler()
    assert caught.value.code == "REG-461" and "g++" in str(caught.value.hint)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(Incompatible, match="no-such-compiler"):
        require_compiler()


def test_members_of_perturbed_inputs_are_exchangeable_and_spread(plain: NoisyWorld) -> None:
    sets = ("sampling.strategy=perturbed-inputs", "sampling.member_batch=2")
    small, large = (
        plain.sample(plain.plan(*sets, f"sampling.perturbation={size}", members=3))
        for size in ("0.01", "0.1")
    )
    spread = [
        float(open_forecast(one.forecast)["t2m"].std("member").mean()) for one in (small, large)
    ]
    assert 0 < spread[0] < spread[1]
    assert len(set(fields_of(large.forecast).values())) == len(fields_of(large.forecast))
    five = plain.sample(plain.plan(*sets, "sampling.perturbation=0.1", members=5))
    assert fields_of(five.forecast, 3) == fields_of(large.forecast)


def test_only_the_first_inputs_of_a_roll_out_are_perturbed(plain: NoisyWorld) -> None:
    from wxreg.leadtime import parse_leads

    sets = ("sampling.strategy=perturbed-inputs", "sampling.perturbation=0.1")
    far = plain.sample(plain.plan(*sets, leads=parse_leads("1h..3h/1h"), members=2))
    near = plain.sample(plain.plan(*sets, members=2))
    assert fields_of(near.forecast).items() <= fields_of(far.forecast).items()


@pytest.mark.parametrize(
    "sets",
    [
        ("sampling.strategy=perturbed-inputs",),
        ("sampling.perturbation=0.1",),
        ("sampling.tile=8", "sampling.overlap=5"),
        ("sampling.overlap=2",),
        ("sampling.missing=guess",),
        ("sampling.precision=8",),
    ],
)
def test_options_that_contradict_each_other_make_no_plan(
    plain: NoisyWorld, sets: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as caught:
        plain.plan(*sets)
    assert caught.value.code == "REG-202"


def test_an_ensemble_of_equal_members_is_refused(plain: NoisyWorld) -> None:
    plan = plain.plan("sampling.strategy=generative", "sampling.member_batch=2", members=2)
    with pytest.raises(Incompatible, match="all members are equal") as caught:
        plain.sample(plan)
    assert "perturbed-inputs" in str(caught.value.hint)


def test_a_roll_out_in_tiles_is_the_roll_out_of_the_whole_domain(noisy: NoisyWorld) -> None:
    """One tile as large as the domain has its bits; smaller tiles blend at every step."""
    from wxreg.leadtime import parse_leads

    asked: dict[str, Any] = {"leads": parse_leads("1h..3h/1h"), "members": 2}
    whole = noisy.sample(noisy.plan(**asked))
    one = noisy.sample(noisy.plan("sampling.tile=16", **asked))
    assert difference(whole.forecast, one.forecast) == {"t2m": 0.0, "refc": 0.0}
    tiles = ("sampling.tile=12", "sampling.overlap=6")
    many = noisy.sample(noisy.plan(*tiles, **asked))
    again = noisy.sample(noisy.plan(*tiles, **{**asked, "members": 3}))
    assert fields_of(again.forecast, 2) == fields_of(many.forecast)
    moved = difference(whole.forecast, many.forecast)
    assert all(0 < moved[name] < 30 for name in moved)


@pytest.mark.parametrize("policy", ["refuse", "previous", "persistence"])
def test_missing_inputs_are_handled_as_declared(gappy: NoisyWorld, policy: str) -> None:
    """A gap of one hour is filled by both policies; the end of a longer one by persistence."""
    plan = gappy.plan(f"sampling.missing={policy}", times=GONE)
    if policy != "persistence":
        gone = GONE if policy == "refuse" else GONE[2:]
        with pytest.raises(Incompatible) as caught:
            gappy.sample(plan)
        assert all(time in caught.value.message for time in gone)
        plan = gappy.plan(f"sampling.missing={policy}", times=GONE[:2])
    if policy == "refuse":
        assert "sampling.missing=previous" in str(caught.value.hint)
        return
    made = gappy.sample(plan)
    taken = {"2023-01-05T06:00": "2023-01-05T05:00", "2023-01-05T10:00": "2023-01-05T09:00"}
    if policy == "persistence":
        taken["2023-01-05T11:00"] = "2023-01-05T09:00"
    stored = [
        {"channel": channel, "time": time, "from": source, "policy": policy}
        for time, source in taken.items()
        for channel in ("t2m", "refc")
    ]
    assert gappy.record(made.run).outcome["filled_inputs"] == stored
    assert read_claim(made.forecast)["claim"]["filled_inputs"] == stored
    _check_filled_forecasts(gappy, made.forecast, taken)


def _check_filled_forecasts(world: NoisyWorld, path: Path, taken: dict[str, str]) -> None:
    """Beside the inputs the network sees no more than the hour of the day."""
    sources = tuple(dict.fromkeys(taken.values()))
    filled = open_forecast(path)
    own = open_forecast(world.sample(world.plan(times=sources)).forecast)
    for number, source in enumerate(taken.values()):
        there = own["t2m"].sel(init_time=np.datetime64(source)).values
        assert np.abs(filled["t2m"].values[number] - there).max() < 0.01
    assert np.abs(own["t2m"].values[0] - own["t2m"].values[-1]).max() > 1


def test_inputs_that_are_there_are_never_replaced(gappy: NoisyWorld) -> None:
    times = ("2023-01-05T05:00", "2023-01-05T07:00")
    one = gappy.sample(gappy.plan(times=times))
    two = gappy.sample(gappy.plan("sampling.missing=persistence", times=times))
    assert fields_of(one.forecast) == fields_of(two.forecast)
    assert gappy.record(two.run).outcome["filled_inputs"] == []
    assert "filled_inputs" not in read_claim(two.forecast)["claim"]


def test_mean_bias_is_taken_out_as_it_is_on_the_training_split(plain: NoisyWorld) -> None:
    world = _with_post(plain, {"name": "mean-bias"})
    raw, made = plain.sample(plain.plan()), world.sample(world.plan())
    a, b = open_forecast(raw.forecast), open_forecast(made.forecast)
    shift = (a["t2m"] - b["t2m"]).values
    assert np.ptp(shift) < 1e-3 and abs(shift.mean()) > 1e-3
    stored = world.record(made.run).outcome["post"]
    assert stored["steps"][0]["name"] == "mean-bias"
    assert read_claim(made.forecast)["claim"]["post"] == stored
    folder = world.world.root / "runs" / made.run
    with np.load(folder / "post.npz", allow_pickle=False) as kept:
        assert kept["1.mean-bias.bias"].ravel()[0] == pytest.approx(shift.mean(), abs=1e-4)


@pytest.mark.parametrize("by_place", [False, True])
def test_quantile_correction_undoes_a_distorted_distribution(
    plain: NoisyWorld, by_place: bool
) -> None:
    """Forecasts that are the truth, stretched and shifted, become the truth again."""
    step = {"name": "quantile", "quantiles": 60, "by_place": by_place}
    world = _with_post(plain, {"name": "mean-bias"}, step).world
    plan = world.plan("tiny-v1", times=TIMES, task="sample", checkpoint="0" * 64)
    seen: list[np.ndarray] = []

    def distorted(batch: Any) -> np.ndarray:
        seen.append(batch.target.numpy())
        return np.asarray(280 + 2 * (batch.target.numpy() - 280) + 5, "f4")

    post = fit_post_processing(world.library, plan, distorted)
    assert len(seen) == 64
    raw = np.asarray(280 + 2 * (seen[7] - 280) + 5, "f4")
    before, after = np.abs(raw - seen[7])[:, :, 0], np.abs(post(raw) - seen[7])[:, :, 0]
    assert after.mean() < 0.1 * before.mean()
    assert post.digest() == fit_post_processing(world.library, plan, distorted).digest()


def test_corrected_values_stay_in_the_range_of_their_variable() -> None:
    bias = torch.full((1, 2, 1, 1), 5.0, dtype=torch.float64)
    step = Correction(PostStep(name="mean-bias"), {"bias": bias})
    post = PostProcessing((step,), (0.0, float("-inf")), (100.0, float("inf")))
    block = np.array([2.0, np.nan, 7.0, 120.0], "f4").reshape(1, 1, 1, 2, 2).repeat(2, axis=2)
    made = post(block)[0, 0]
    assert np.array_equal(made[0].ravel(), [0, np.nan, 2, 100], equal_nan=True)
    assert np.array_equal(made[1].ravel(), [-3, np.nan, 2, 115], equal_nan=True)


def test_a_forecast_with_corrections_is_reproduced(plain: NoisyWorld) -> None:
    world = _with_post(plain, {"name": "quantile", "quantiles": 20})
    made = world.sample(world.plan())
    with world.world.ledger() as ledger:
        again = reproduce(world.world.library, ledger, made.run, quiet=True)
    assert again.verdict == "identical"


def _with_post(noisy: NoisyWorld, *steps: dict[str, Any]) -> NoisyWorld:
    """The same world with corrections declared in its entry."""
    import yaml

    root = noisy.world.root.with_name("post-" + "-".join(step["name"] for step in steps))
    world = World(shutil.copytree(noisy.world.root, root, dirs_exist_ok=True))
    path = root / "registry" / "models" / "tiny-v1.yaml"
    entry = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**entry, "post": list(steps)}, sort_keys=False))
    return NoisyWorld(world, noisy.model, noisy.trained)
