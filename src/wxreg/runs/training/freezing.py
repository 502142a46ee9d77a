"""Weights that training leaves as they are."""

from __future__ import annotations

from fnmatch import fnmatchcase

from torch import nn

from wxreg.errors import UsageError
from wxreg.ids import near_names
from wxreg.models.recomputing import weights_by_name


def freeze_weights(network: nn.Module, patterns: tuple[str, ...]) -> None:
    """Stop the gradients of every weight that a pattern names; one that names none is refused."""
    names = weights_by_name(network)
    for pattern in patterns:
        matching = [name for name in names if fnmatchcase(name, pattern)]
        if not matching:
            near = near_names(pattern, names)
            raise UsageError(
                "REG-260",
                f"training.freeze: no weight is called {pattern!r}",
                hint=f"near: {', '.join(near)}" if near else "patterns look like encoder.*",
            )
        for name in matching:
            names[name].requires_grad_(False)
