"""`torch.compile` for sampling: declared, and refused in plain words where it cannot work."""

from __future__ import annotations

import copy
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

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
    """Keep what is compiled in ``cache``, and say in plain words why compiling failed.

    PyTorch 2.13 leaves paths unquoted in its compiler's command line.  Below a folder with a
    space in its name the folder of its own libraries is quoted here, and what is compiled is
    kept where PyTorch keeps it by default.
    """
    from torch.utils import cpp_extension  # a sixth of a second, for plans that compile only

    libraries = shlex.quote(cpp_extension.TORCH_LIB_PATH)
    plain = shlex.quote(str(cache)) == str(cache)
    try:
        with (
            patch.dict(os.environ, {_CACHE: str(cache)} if plain else {}),
            patch.object(cpp_extension, "TORCH_LIB_PATH", libraries),
        ):
            yield
    except torch._dynamo.exc.TorchDynamoException as error:
        raise _refused(str(error).strip().splitlines()[0]) from error


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
