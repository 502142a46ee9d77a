"""Killed with SIGKILL at an exact place, a training resumes to the bits of one that was not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from child_training import Job, Moment, run
from tiny_world import World, make_world

from wxreg.artifacts.digests import file_digest
from wxreg.ledger import queries

Copies = Callable[[str], World]
STEPS = 12


def _sets(accumulate: int, *more: str) -> tuple[str, ...]:
    return (f"training.steps={STEPS}", f"training.accumulate={accumulate}", *more)


def _checkpoints(root: Path) -> dict[str, str]:
    """The digests of the files that the one finished run of a world wrote."""
    with World(root).ledger() as ledger:
        (finished,) = (one for one in queries.runs(ledger) if one.state == "finished")
    folder = root / "runs" / finished.id
    found = sorted((folder / "checkpoints").glob("*.safetensors"))
    return {path.name: file_digest(path) for path in found}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., dict[str, str]]]:
    """What uninterrupted trainings without workers wrote, by their settings; each is run once."""
    known: dict[tuple[str, ...], dict[str, str]] = {}

    def of(*sets: str) -> dict[str, str]:
        if sets not in known:
            world = make_world(tmp_path_factory.mktemp("whole") / "world")
            assert run(Job(world.root, sets)) == 0
            known[sets] = _checkpoints(world.root)
        return known[sets]

    yield of


def _same_bits(world: World, expected: dict[str, str], job: Job, moments: list[Moment]) -> None:
    for number, moment in enumerate(moments):
        assert run(replace(job, moment=moment, resume=number > 0)) == -9
    assert run(replace(job, resume=True)) == 0
    assert _checkpoints(world.root) == expected
    assert "best.safetensors" in expected and "last.safetensors" in expected


CASES = [(w, a, p) for w in (0, 2) for a in (1, 2) for p in ("boundary", "middle", "writing")]
QUICK = {(0, 1, "boundary"), (2, 2, "middle"), (0, 2, "writing")}
"""Each number of workers, each accumulation and each place at least once; the rest is slow."""


@pytest.mark.parametrize(
    ("workers", "accumulate", "place"),
    [pytest.param(*one, marks=() if one in QUICK else pytest.mark.slow) for one in CASES],
)
def test_a_training_killed_anywhere_resumes_to_the_same_bits(
    world: World, whole: Callable[..., dict[str, str]], workers: int, accumulate: int, place: str
) -> None:
    sets = _sets(accumulate)
    job = Job(world.root, sets, workers)
    _same_bits(world, whole(*sets), job, [Moment(place, 7)])


@pytest.mark.slow
def test_a_training_killed_again_and_again_resumes_to_the_same_bits(
    world: World, whole: Callable[..., dict[str, str]]
) -> None:
    sets = _sets(2)
    moments = [
        Moment("middle", 2),
        Moment("writing", 5),
        Moment("middle", 6),
        Moment("boundary", 9),
    ]
    _same_bits(world, whole(*sets), Job(world.root, sets, 2), moments)


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_mirrored_samples_and_changing_leads_resume_to_the_same_bits(
    world: World, whole: Callable[..., dict[str, str]], workers: int
) -> None:
    sets = _sets(1, "training.augment=[flip-x, flip-y]", "training.recompute=true")
    job = Job(world.root, sets, workers)
    _same_bits(world, whole(*sets), job, [Moment("middle", 7)])


@pytest.mark.slow
def test_points_that_are_rare_lose_steps_and_no_bits(
    world: World, whole: Callable[..., dict[str, str]]
) -> None:
    sets = _sets(1, "training.validate_every=3")
    job = Job(world.root, sets, resume_seconds=0.1)
    _same_bits(world, whole(*sets), job, [Moment("middle", 10)])
