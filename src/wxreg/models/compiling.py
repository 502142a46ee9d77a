"""`torch.compile` for sampling: declared, and refused in plain words where it cannot work."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from wxreg.errors import Incompatible
from wxreg.models.forecaster import Forecaster

_COMPILERS = ("g++", "clang++")
_CACHE = "TORCHINDUCTOR_CACHE_DIR"


def compiled(forecaster: Forecaster) -> Forecaster:
    """A copy whose networks are compiled when they are first called.

    Networks are compiled one by one, and not the sampler around them: its random draws stay
    outside, so that members are drawn as ever.
    """
    require_compiler()
    found = copy.deepcopy(forecaster)
    for network in _networks(found):
        network.compile(dynamic=False)
    return found


def require_compiler() -> None:
    """Refuse where no C++ compiler is installed: PyTorch translates networks to C++."""
    names = (os.environ["CXX"],) if os.environ.get("CXX") else _COMPILERS
    if not any(shutil.which(name) for name in names):
        raise _refused(f"it needs a C++ compiler, and there is no {' or '.join(names)} here")


@contextmanager
def compiling(cache: Path) -> Iterator[None]:
    """Keep what is compiled in ``cache``, and say in plain words why compiling failed."""
    before = os.environ.get(_CACHE)
    os.environ[_CACHE] = str(cache)
    try:
        yield
    except torch._dynamo.exc.TorchDynamoException as error:
        raise _refused(str(error).strip().splitlines()[0]) from error
    finally:
        os.environ.pop(_CACHE) if before is None else os.environ.update({_CACHE: before})


def _networks(module: nn.Module) -> Iterator[nn.Module]:
    """The parts below a forecaster that hold weights and are called; lists are looked into."""
    for child in module.children():
        if isinstance(child, Forecaster | nn.ModuleList | nn.ModuleDict):
            yield from _networks(child)
        elif any(True for _ in child.parameters()):
            yield child


def _refused(why: str) -> Incompatible:
    return Incompatible(
        "REG-461",
        f"the networks cannot be compiled: {why}",
        where="sampling.compile",
        hint="install a C++ compiler (on Debian: apt-get install g++) and name it in CXX, "
        "or leave sampling.compile false",
    )
