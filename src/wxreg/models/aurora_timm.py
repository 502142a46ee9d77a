"""The four names of timm that Aurora needs, for machines where timm cannot be imported.

timm pulls torchvision in, which breaks beside a CPU build of torch.  When ``import timm`` fails,
:func:`provide_timm` puts modules with just these names in its place before Aurora is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import repeat
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from wxreg.errors import ExternalError


def to_2tuple(value: Any) -> tuple[Any, ...]:
    """A pair from one value; a sequence is kept."""
    return _to_tuple(value, 2)


def to_3tuple(value: Any) -> tuple[Any, ...]:
    """A triple from one value; a sequence is kept."""
    return _to_tuple(value, 3)


def _to_tuple(value: Any, count: int) -> tuple[Any, ...]:
    if isinstance(value, list | tuple):
        return tuple(value)
    return tuple(repeat(value, count))


class DropPath(nn.Module):
    """Drops whole samples of a residual branch in training, scaling up those that stay."""

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, branch: Tensor) -> Tensor:
        """The branch, or zeros for the samples that were dropped."""
        if not self.training or self.drop_prob == 0.0:
            return branch
        kept = 1 - self.drop_prob
        shape = (len(branch), *[1] * (branch.dim() - 1))
        return branch * torch.empty(shape).to(branch).bernoulli_(kept) / kept


def provide_timm() -> None:
    """Make ``timm`` importable with what Aurora needs, unless the real one is."""
    try:
        import_module("timm.layers")
        import_module("timm.models.vision_transformer")
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "timm"]:
            del sys.modules[name]
        sys.modules.update(_substitute())


def _substitute() -> dict[str, ModuleType]:
    names = ("timm", "timm.layers", "timm.models", "timm.models.vision_transformer")
    modules = {name: ModuleType(name, __doc__) for name in names}
    contents: dict[str, dict[str, Any]] = {
        "timm.layers": {"to_2tuple": to_2tuple, "to_3tuple": to_3tuple, "DropPath": DropPath},
        "timm.models.vision_transformer": {"trunc_normal_": nn.init.trunc_normal_},
    }
    for name, content in contents.items():
        vars(modules[name]).update(content)
    for name in names[1:]:
        parent, _, child = name.rpartition(".")
        setattr(modules[parent], child, modules[name])
    return modules


def load_aurora() -> ModuleType:
    """The ``aurora`` package; `ExternalError` says how to install it.

    It computes constants when it is first imported, which need a device that has values.
    """
    provide_timm()
    try:
        with torch.device("cpu"):
            return import_module("aurora")
    except ImportError as error:
        raise ExternalError(
            "REG-740",
            f"Aurora cannot be imported: {error}",
            hint="install it with `pip install 'wxreg[aurora]'`, or beside a CPU build of torch "
            "with `pip install --no-deps microsoft-aurora==2.0.1`",
        ) from error
