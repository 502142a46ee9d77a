"""What an entry declares under ``training`` is what is carried out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_world import World, fields

from wxreg.artifacts.checkpoint_file import RawTensor, read_checkpoint, write_checkpoint
from wxreg.artifacts.digests import file_digest
from wxreg.errors import Incompatible, IntegrityError, NotFound, RegError
from wxreg.ledger import queries
from wxreg.runs.training.data import Loaders, rare_weights, training_source
from wxreg.runs.training.initial_weights import find_start
from wxreg.runs.training.train import TrainOptions, train
from wxreg.specs.model import ArchitectureRef
from wxreg.specs.training import RareSampling

LORA = {"train_only": "lora-and-new"}
OPTIONS = TrainOptions(quiet=True, accelerator="cpu", resume_seconds=0)


def _train(world: World, *sets: str, model: str = "tiny-v1") -> Any:
    with world.ledger() as ledger:
        return train(world.library, ledger, world.plan(model, *sets), OPTIONS)


def _refused(world: World, *sets: str) -> RegError:
    with pytest.raises(RegError) as caught:
        _train(world, *sets)
    return caught.value


def _tensors(path: Path) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in read_checkpoint(path).tensors.items()}


def _lines(world: World, run: str) -> list[dict[str, Any]]:
    text = (world.root / "runs" / run / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def _initial(**parts: object) -> str:
    return f"training.initial={json.dumps(parts)}"


def test_training_starts_from_the_weights_that_are_pinned(world: World) -> None:
    """At a rate that moves nothing, what was given comes out again; the ledger knows the edge."""
    donor = _train(world, "training.steps=4")
    path = donor.checkpoint.relative_to(world.root)
    still = ("training.steps=1", "training.optimiser.rate=1e-30")
    pinned = _initial(path=str(path), sha256=donor.sha256, strict=True)
    child = _train(world, *still, pinned)
    given, got = _tensors(donor.checkpoint), _tensors(child.checkpoint)
    assert all(np.array_equal(given[name], got[name]) for name in given)
    plain = _tensors(_train(world, *still).checkpoint)
    assert any(not np.array_equal(given[name], plain[name]) for name in given)
    with world.ledger() as ledger:
        told = queries.run(ledger, child.run).outcome["initial"]
        made = {(one.parent, one.role) for one in queries.edges(ledger) if one.child == child.run}
    assert told["sha256"] == donor.sha256 and told["left"] == [] and told["taken"] > 4
    assert (donor.sha256, "initial weights") in made
    by_digest = _train(world, *still, _initial(sha256=donor.sha256, strict=True))
    assert by_digest.sha256 == child.sha256, "where the weights were is no part of the plan"
    assert b"runs/" not in child.checkpoint.read_bytes()[:100_000]


def test_the_place_of_weights_is_no_part_of_a_plan_and_their_digest_is(made_world: World) -> None:
    one = made_world.plan("tiny-v1", _initial(path="a", sha256="0" * 64)).digest()
    assert one == made_world.plan("tiny-v1", _initial(sha256="0" * 64)).digest()
    assert one != made_world.plan("tiny-v1", _initial(sha256="1" * 64)).digest()
    assert one != made_world.plan().digest()


def test_weights_that_do_not_fit_are_refused_or_taken_in_part(world: World) -> None:
    donor = _train(world, "training.steps=1")
    sha256, wider = donor.sha256, "architecture.settings.depth=2"
    error = _refused(world, wider, _initial(sha256=sha256, strict=True))
    assert (error.code, type(error)) == ("REG-442", Incompatible)
    assert "network" in error.message and "strict" in str(error.hint)
    child = _train(world, wider, "training.steps=1", _initial(sha256=sha256))
    with world.ledger() as ledger:
        told = queries.run(ledger, child.run).outcome["initial"]
    assert told["taken"] > 0 and told["left"]
    stranger = world.root / "stranger.safetensors"
    write_checkpoint(stranger, {"w": RawTensor.of(np.zeros(3, "f4"))}, {})
    pinned = {"path": "stranger.safetensors", "sha256": file_digest(stranger)}
    assert "none of the initial weights fits" in _refused(world, _initial(**pinned)).message


def test_weights_that_are_not_what_is_pinned_are_refused(world: World) -> None:
    donor = _train(world, "training.steps=1")
    path = str(donor.checkpoint.relative_to(world.root))
    error = _refused(world, _initial(path=path, sha256="0" * 64))
    assert (error.code, type(error)) == ("REG-560", IntegrityError)
    error = _refused(world, _initial(path="gone.safetensors", sha256=donor.sha256))
    assert (error.code, type(error)) == ("REG-360", NotFound)
    assert len(list(world.root.glob("runs/train-*"))) == 1, "nothing else was begun"


def test_frozen_weights_stay_and_the_others_move(world: World) -> None:
    before = _tensors(_train(world, "training.steps=1", "training.optimiser.rate=1e-30").checkpoint)
    name = next(iter(sorted(before)))
    frozen = name.rpartition(".")[0] + ".*"
    after = _tensors(_train(world, f"training.freeze=['{frozen}']").checkpoint)
    kept = [key for key in before if np.array_equal(before[key], after[key])]
    assert name in kept and all(key.startswith(frozen[:-1]) for key in kept)
    assert "near" in str(_refused(world, f"training.freeze=['{frozen[:-3]}x.*']").hint)


def test_the_mean_of_weights_is_the_declared_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint holds min(decay, (1+n)/(10+n)) means of the weights after each step."""
    from wxreg.runs.training.module import TrainingModule

    seen: list[dict[str, np.ndarray]] = []
    step = TrainingModule.optimizer_step

    def watching(self: Any, *words: Any, **more: Any) -> None:
        if not seen:
            seen.append({k: v.numpy().copy() for k, v in self.forecaster.state_dict().items()})
        step(self, *words, **more)
        seen.append({k: v.numpy().copy() for k, v in self.forecaster.state_dict().items()})

    monkeypatch.setattr(TrainingModule, "optimizer_step", watching)
    sets = ("training.weights=ema", "training.ema=0.5", "training.select=last")
    got = _tensors(_train(world, *sets, "training.steps=6").checkpoint)
    mean = seen[0]
    for number, weights in enumerate(seen[1:], start=1):
        decay = min(0.5, (1 + number) / (10 + number))
        mean = {k: decay * mean[k] + (1 - decay) * weights[k] for k in mean}
    assert len(seen) == 7
    for name, value in got.items():
        assert np.allclose(value, mean[name], atol=1e-6), name


def test_training_stops_after_validations_that_do_not_improve(world: World) -> None:
    """Steps too small to be seen improve nothing after the first validation."""
    sets = ("training.steps=50", "training.validate_every=2", "training.stop_after=3")
    run = _train(world, *sets, "training.optimiser.rate=1e-30")
    assert [line["step"] for line in _lines(world, run.run) if "validation" in line] == [2, 4, 6, 8]
    assert run.metrics["best_step"] == 2


def test_each_batch_is_mirrored_by_a_law_and_vectors_with_it(world: World) -> None:
    _train(world, "training.steps=1")
    world.change_model(
        inputs={"variables": ["t2m", "u10", "v10"]}, targets={"variables": ["t2m", "u10", "v10"]}
    )
    both = _batches(world, "training.augment=[flip-x, flip-y]")
    again = _batches(world, "training.augment=[flip-x, flip-y]")
    plain = _batches(world)
    moved = {"": 0, "x": 0, "y": 0, "xy": 0}
    for one, same, bare in zip(both, again, plain, strict=True):
        assert np.array_equal(one.inputs, same.inputs)
        for sample in range(len(one)):
            mine, other = one.inputs[sample].numpy(), bare.inputs[sample].numpy()
            for name in moved:
                turned = other[..., ::-1, :] if "y" in name else other
                turned = turned[..., ::-1] if "x" in name else turned
                sign = np.array([1, -1 if "x" in name else 1, -1 if "y" in name else 1])
                if np.array_equal(mine, turned * sign[:, None, None]):
                    moved[name] += 1
                    lat = bare.lat.numpy()[::-1] if "y" in name else bare.lat.numpy()
                    lat = lat[:, ::-1] if "x" in name else lat
                    assert np.array_equal(one.lat[sample].numpy(), lat)
    assert sum(moved.values()) == sum(len(one) for one in both)
    assert min(moved.values()) > 0, moved
    assert (
        _train(world, "training.augment=[flip-x, flip-y]", "training.steps=2").state == "finished"
    )


def _batches(world: World, *sets: str, count: int = 6) -> list[Any]:
    from wxreg.runs.training.augmenting import plan_augmentation

    plan = world.plan("tiny-v1", *sets)
    augment = plan_augmentation(plan, world.library.lexicon())
    paths = (world.store, world.store)
    loaders = Loaders.open(plan, paths, world=1, workers=0, augment=augment)
    stream = iter(loaders.steps(0, 0, 1))
    return [next(stream) for _ in range(count)]


def test_motions_that_make_samples_wrong_are_refused(world: World) -> None:
    error = _refused(world, "training.augment=[rotate]")
    assert (error.code, type(error)) == ("REG-460", Incompatible)
    assert "as wide as" in error.message and error.hint
    assert not list(world.root.glob("runs/*"))


LEADS = {"lead": {"mode": "direct", "trained": "1h..3h/1h", "allowed": "1h..3h/1h"}}
STAGES = [
    {"after": 0, "leads": "1h"},
    {"after": 4, "leads": "1h..2h/1h"},
    {"after": 8, "leads": "1h..3h/1h"},
]


def _hours(world: World, *sets: str, count: int) -> list[set[float]]:
    return [
        set(batch.lead_hours.flatten().tolist()) for batch in _batches(world, *sets, count=count)
    ]


def test_a_curriculum_trains_the_leads_of_its_stage(world: World) -> None:
    world.change_model(**LEADS, training={"curriculum": STAGES, "validate_every": 2})
    run = _train(world)
    found = _hours(world, count=14)
    assert set.union(*found[:4]) == {1.0}
    assert set.union(*found[4:8]) == {1.0, 2.0}
    assert set.union(*found[8:]) == {1.0, 2.0, 3.0}
    told = {line["step"]: line["leads"] for line in _lines(world, run.run) if "validation" in line}
    assert told[4] == ["1h"] and told[6] == ["1h", "2h"] and told[12] == ["1h", "2h", "3h"]


def test_a_curriculum_of_joint_leads_scores_those_of_its_stage(world: World) -> None:
    joint = {"lead": {**LEADS["lead"], "mode": "joint"}}
    world.change_model(**joint, training={"curriculum": STAGES})
    run = _train(world)
    assert run.state == "finished"
    masks = [batch.target_mask.numpy() for batch in _batches(world, count=9)]
    assert masks[0][:, 0].all() and not masks[0][:, 1:].any()
    assert masks[4][:, :2].all() and not masks[4][:, 2:].any()
    assert masks[8].all()


@pytest.mark.parametrize(
    ("stages", "word"),
    [
        ([{"after": 1, "leads": "1h"}], "begin"),
        ([{"after": 0, "leads": "1h"}, {"after": 0, "leads": "2h"}], "begin"),
        ([{"after": 0, "leads": "9h"}], "9h"),
    ],
)
def test_a_curriculum_that_cannot_be_is_refused_when_read(
    world: World, stages: list[Any], word: str
) -> None:
    world.change_model(**LEADS, training={"curriculum": stages})
    with pytest.raises(RegError) as caught:
        world.plan()
    assert word in str(caught.value)


def test_recomputing_trains_to_the_same_bits(world: World) -> None:
    plain, again = _train(world), _train(world, "training.recompute=true")
    one, two = _tensors(plain.checkpoint), _tensors(again.checkpoint)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_each_term_of_a_loss_says_how_hard_it_pulls(world: World) -> None:
    terms = [{"name": "mse"}, {"name": "mae", "weight": 0.25}]
    run = _train(world, f"training.loss={json.dumps(terms)}")
    told = [line for line in _lines(world, run.run) if "validation" in line]
    assert [line["step"] for line in told] == [6, 12]
    for line in told:
        assert line["weights"] == {"mse": 1.0, "mae": 0.25}
        assert set(line["terms"]) == set(line["gradient_shares"]) == {"mse", "mae"}
        assert sum(line["gradient_shares"].values()) == pytest.approx(1)
        assert min(line["gradient_shares"].values()) > 0.01


def test_no_line_of_the_metrics_is_about_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A validation takes the sums; a line at the same step would have none left."""
    monkeypatch.setattr("wxreg.runs.training.loop._LOG_SECONDS", 0.0)
    lines = _lines(world, _train(world).run)
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert all(line["loss"] > 0 and line["samples_per_second"] > 0 for line in lines)


def test_rare_windows_are_drawn_more_often(world: World) -> None:
    _train(world, "training.steps=1")
    source = training_source(world.plan(), (world.store, world.store))
    shares = (fields()["REFC"].values[source.windows.targets[:, 0]] >= 28.0).mean(axis=(1, 2))
    share = float(np.quantile(shares, 0.8))
    rare = RareSampling(variable="refc", weight=5.0, threshold=28.0, share=share)
    weights = rare_weights(source, rare, world.store)
    assert np.array_equal(weights, np.where(shares >= share, 5.0, 1.0))
    assert {1.0, 5.0} == set(weights.tolist())


def test_weights_that_nobody_pinned_are_refused_with_the_way_to_pin_them(world: World) -> None:
    hub = {"repository": "a/b", "revision": "0" * 40, "licence": "MIT"}
    error = _refused(world, _initial(**hub, file="weights.safetensors"))
    assert (error.code, type(error)) == ("REG-460", Incompatible)
    assert "no SHA-256" in error.message and "training.initial.sha256" in str(error.hint)
    pickled = _refused(world, _initial(**hub, file="weights.ckpt", sha256="0" * 64))
    assert "pickle, which is never loaded" in pickled.message
    assert "safetensors" in str(pickled.hint) and "a/b@" in str(pickled.where)
    donor = _train(world, "training.steps=1")
    converted = {"path": str(donor.checkpoint.relative_to(world.root)), "sha256": donor.sha256}
    assert _train(world, _initial(**hub, file="weights.ckpt", **converted)).run != donor.run


def test_weights_may_be_given_to_several_parts_that_are_alike(world: World) -> None:
    donor = _train(world, "training.steps=1")
    parts = ["", "nowhere"]
    child = _train(world, "training.steps=2", _initial(sha256=donor.sha256, into=parts))
    with world.ledger() as ledger:
        assert queries.run(ledger, child.run).outcome["initial"]["left"] == []


@pytest.mark.parametrize("settings", [LORA, {"network": LORA}])
def test_frozen_weights_that_nobody_trained_are_refused(
    made_world: World, settings: dict[str, Any]
) -> None:
    system = ArchitectureRef(name="aurora", settings=settings)
    plan = made_world.plan().model_copy(update={"architecture": system})
    with made_world.ledger() as ledger, pytest.raises(Incompatible, match="nobody trained"):
        find_start(made_world.library, ledger, plan)
