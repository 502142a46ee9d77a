"""Every entry of the registry resolves, and builds to the size that it declares."""

from __future__ import annotations

import pytest
from paper import LIBRARY, paper_blueprint

from wxreg.models.building import count_parameters
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import Draft, Resolved, resolve
from wxreg.specs.plan import SamplePlan, TrainPlan

ENTRIES = LIBRARY.ids("model")
SCALES = [(name, scale) for name in ENTRIES for scale in LIBRARY.scales(name)]


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_resolves_on_the_embedded_data(name: str) -> None:
    model = LIBRARY.model(name, "mini")
    task = "sample" if model.training.kind == "none" else "train"
    found = resolve(LIBRARY, Request(model=name, task=task))
    assert isinstance(found, Resolved)
    assert isinstance(found.plan, SamplePlan if task == "sample" else TrainPlan)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_full_scale_is_a_draft_that_says_how_to_make_it_a_plan(name: str) -> None:
    model = LIBRARY.model(name, "full")
    task = "sample" if model.training.kind == "none" else "train"
    found = resolve(LIBRARY, Request(model=name, task=task, scale="full"))
    assert isinstance(found, Draft)
    assert any(command.startswith("reg data prepare") for command in found.commands)


@pytest.mark.parametrize(("name", "scale"), SCALES)
def test_an_entry_builds_to_the_size_that_it_declares(name: str, scale: str) -> None:
    declared = LIBRARY.model(name, scale).resources.parameters
    assert count_parameters(paper_blueprint(name, scale)) == declared


@pytest.mark.parametrize(("name", "scale"), SCALES)
def test_the_declared_memory_holds_at_least_what_training_must_keep(name: str, scale: str) -> None:
    """Weights, gradients and two moments in float32; LoRA entries keep frozen weights only once."""
    needs = LIBRARY.model(name, scale).resources
    trains = LIBRARY.model(name, scale).training.kind == "gradient"
    frozen = bool(LIBRARY.model(name, scale).architecture.settings.get("use_lora"))
    copies = 4 if trains and not frozen else 1
    assert needs.train_gib >= copies * 4 * needs.parameters / 2**30
    assert needs.sample_gib >= 4 * needs.parameters / 2**30 or frozen


def test_a_student_names_the_training_of_its_teacher() -> None:
    student = resolve(LIBRARY, Request(model="corrdiff-fast-era5-v1"))
    teacher = resolve(LIBRARY, Request(model="corrdiff-era5-v1"))
    assert isinstance(student, Resolved) and isinstance(teacher, Resolved)
    assert isinstance(student.plan, TrainPlan) and student.plan.teacher is not None
    assert student.plan.teacher.train_plan == teacher.plan.digest()


@pytest.mark.parametrize(
    ("name", "rule"),
    [("harpnet-soup-conus404-v1", "soup"), ("corrdiff-era5-v1", "last"), ("unet-era5-v1", "best")],
)
def test_what_an_entry_selects_is_what_it_forecasts_with(name: str, rule: str) -> None:
    found = resolve(LIBRARY, Request(model=name, task="sample"))
    assert isinstance(found, Resolved) and isinstance(found.plan, SamplePlan)
    assert found.plan.selection is not None and found.plan.selection.rule == rule
    named = resolve(LIBRARY, Request(model=name, task="sample", rule="epoch=7"))
    assert isinstance(named, Resolved) and isinstance(named.plan, SamplePlan)
    assert named.plan.selection is not None and named.plan.selection.rule == "epoch=7"


def test_another_seed_of_the_teacher_is_another_student() -> None:
    plans = [resolve(LIBRARY, Request(model="corrdiff-fast-era5-v1", seed=s)) for s in (0, 1)]
    digests = {found.plan.digest() for found in plans if isinstance(found, Resolved)}
    assert len(digests) == 2
