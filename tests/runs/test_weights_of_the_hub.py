"""Initial weights of the Hub: fetched at their revision, verified, kept, and never unpickled."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_world import World

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read when the Hub's library is first imported
sys.path.insert(0, str(Path(__file__).parents[1] / "publish"))

from local_hub import TOKEN, LocalHub, Repo

from wxreg.artifacts.checkpoint_file import RawTensor, write_checkpoint
from wxreg.errors import ExternalError, Incompatible, IntegrityError, NotFound, RegError
from wxreg.runs.training.initial_weights import Start, find_start
from wxreg.specs.training import InitialWeights

LAB, FILE = "their-lab/weights", "model/weights.safetensors"


def weights(folder: Path, value: float) -> bytes:
    """A file of weights that are all one value."""
    path = folder / "made.safetensors"
    write_checkpoint(path, {"layer": RawTensor.of(np.full((2, 3), value, "f4"))}, {})
    return path.read_bytes()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with LocalHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr("time.sleep", lambda _seconds: None)  # the Hub's library backs off
        server.repos[LAB] = Repo()
        yield server


def found(world: World, revision: str, content: bytes, file: str = FILE) -> Start:
    """The start of a plan that pins this content at a revision."""
    declared = InitialWeights(
        repository=LAB,
        revision=revision,
        file=file,
        licence="MIT",
        sha256=sha256(content).hexdigest(),
    )
    plan = world.plan()
    training = plan.training.model_copy(update={"initial": declared})
    with world.ledger() as ledger:
        start = find_start(world.library, ledger, plan.model_copy(update={"training": training}))
    assert start is not None
    return start


def refused(kind: type[RegError], *words: Any) -> RegError:
    with pytest.raises(kind) as caught:
        found(*words)
    assert caught.value.hint or kind is NotFound
    return caught.value


def kept(world: World) -> list[Path]:
    return list((world.root / ".reg" / "cache" / "weights").rglob("*"))


def test_weights_come_at_the_revision_that_is_pinned_and_are_kept(
    made_world: World, copies: Any, hub: LocalHub, tmp_path: Path
) -> None:
    world, repo = copies("world"), hub.repos[LAB]
    old, new = weights(tmp_path, 1.0), weights(tmp_path, 2.0)
    first = repo.add("main", {FILE: old})
    repo.add("main", {FILE: new})
    start = found(world, first, old)
    assert start.tensors["layer"].unique().tolist() == [1.0]
    assert start.sha256 == sha256(old).hexdigest()
    asked = len(hub.seen)
    assert asked > 0
    found(world, first, old)
    assert len(hub.seen) == asked, "weights that are here were fetched again"
    (path,) = kept(world)
    path.write_bytes(new)
    again = found(world, first, old)
    assert again.tensors["layer"].unique().tolist() == [1.0]
    assert path.read_bytes() == old


def test_other_bytes_than_the_pinned_ones_are_refused(
    world: World, hub: LocalHub, tmp_path: Path
) -> None:
    good, other = weights(tmp_path, 1.0), weights(tmp_path, 2.0)
    revision = hub.repos[LAB].add("main", {FILE: other})
    error = refused(IntegrityError, world, revision, good)
    assert error.code == "REG-560"
    assert sha256(other).hexdigest()[:12] in error.message
    assert str(error.where) == f"{LAB}@{revision}: {FILE}"
    assert kept(world) == []


def test_a_bit_that_flips_on_the_way_is_noticed(
    world: World, hub: LocalHub, tmp_path: Path
) -> None:
    good = weights(tmp_path, 1.0)
    revision = hub.repos[LAB].add("main", {FILE: good})
    hub.fail("download", "corrupt", 20)
    assert refused(IntegrityError, world, revision, good).code == "REG-560"
    hub.faults.clear()
    assert found(world, revision, good).sha256 == sha256(good).hexdigest()


@pytest.mark.parametrize("how", ["drop", 500, 429])
def test_a_connection_that_breaks_is_told_and_leaves_nothing(
    world: World, hub: LocalHub, tmp_path: Path, how: str | int
) -> None:
    good = weights(tmp_path, 1.0)
    revision = hub.repos[LAB].add("main", {FILE: good})
    hub.fail("download", how, 50)
    error = refused(ExternalError, world, revision, good)
    assert error.code in ("REG-782", "REG-783")
    assert kept(world) == []
    hub.faults.clear()
    assert found(world, revision, good).sha256 == sha256(good).hexdigest()


def test_what_the_hub_does_not_have_is_named(world: World, hub: LocalHub, tmp_path: Path) -> None:
    good = weights(tmp_path, 1.0)
    for revision, what in (("0" * 40, "revision"), ("main", "file")):
        error = refused(NotFound, world, revision, good)
        assert error.code == "REG-381" and f"no such {what}" in error.message
    hub.repos.clear()
    error = refused(NotFound, world, "main", good)
    assert error.code == "REG-381" and "no such repository" in error.message


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("file", ["model.ckpt", "pytorch_model.bin", FILE])
def test_a_pickle_is_never_loaded(world: World, hub: LocalHub, tmp_path: Path, file: str) -> None:
    """By its name it is not even fetched; under the name of safetensors it is not read."""
    mark = tmp_path / "mark"
    evil = pickle.dumps(Trap(mark))
    revision = hub.repos[LAB].add("main", {file: evil})
    error = refused(RegError, world, revision, evil, file)
    assert not mark.exists()
    if file == FILE:
        assert isinstance(error, IntegrityError)
    else:
        assert isinstance(error, Incompatible) and "pickle, which is never loaded" in error.message
        assert hub.seen == []
    pickle.loads(evil)
    assert mark.exists(), "this trap could not have told"
