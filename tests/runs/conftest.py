"""One small world a test session; each test that writes works in a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from noisy_world import NoisyWorld
from tiny_world import World, make_world


@pytest.fixture(scope="session")
def made_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world as it is before anything ran in it."""
    return make_world(tmp_path_factory.mktemp("world") / "made")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Bits depend on the number of threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def noisy(made_world: World, tmp_path_factory: pytest.TempPathFactory) -> NoisyWorld:
    """A world in which the diffusion ensemble was trained; tests add forecasts to it."""
    root = tmp_path_factory.mktemp("noisy") / "world"
    return NoisyWorld.make(World(shutil.copytree(made_world.root, root)))


@pytest.fixture
def copies(made_world: World, tmp_path: Path) -> Callable[[str], World]:
    """Copies of the world, by name."""

    def copy(name: str) -> World:
        return World(shutil.copytree(made_world.root, tmp_path / name))

    return copy


@pytest.fixture
def world(copies: Callable[[str], World]) -> World:
    """A copy that a test may break."""
    return copies("world")
