"""Activation checkpointing: blocks forget what they computed and compute it again for gradients.

Every block of a network's lists of blocks is wrapped, so an architecture has nothing to declare
but `nn.ModuleList`s.  A block draws its dropout and weights twice alike: torch's own state is
kept by torch, and a generator that is passed to the block is rewound here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from wxreg.errors import Incompatible
from wxreg.models.forecaster import Forecaster
from wxreg.models.stochastic_layers import GeneratorNoise

_PUBLISHED = "configure_activation_checkpointing"
"""What a published network with a scheme of its own (Aurora) calls it."""
_WRAPPER = "_checkpoint_wrapped_module."
"""What that scheme puts into the names of weights, but not of checkpoints."""


def recompute_activations(forecaster: Forecaster) -> None:
    """Make every block compute its activations again; refused where there are no blocks."""
    networks = [one for one in forecaster.modules() if hasattr(one, _PUBLISHED)]
    for network in networks:
        if not any(type(one).__name__ == "CheckpointWrapper" for one in network.modules()):
            getattr(network, _PUBLISHED)()
    inside = {id(one) for network in networks for one in network.modules()}
    blocks = [block for block in _blocks(forecaster) if id(block) not in inside]
    for block in blocks:
        block.forward = _recomputed(block.forward)
    if not networks and not blocks:
        raise Incompatible(
            "REG-460",
            f"{forecaster.blueprint.architecture} has no blocks that could be computed again",
            where="training.recompute",
            hint="raise training.accumulate to save memory instead",
        )


def weights_by_name(network: nn.Module) -> dict[str, nn.Parameter]:
    """Every weight by the name that checkpoints know, whether its block is wrapped or not."""
    return {name.replace(_WRAPPER, ""): weights for name, weights in network.named_parameters()}


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The outermost blocks of all lists; single layers hold nothing that could be forgotten."""
    for child in module.children():
        if isinstance(module, nn.ModuleList) and not isinstance(child, nn.ModuleList):
            if next(child.children(), None) is not None:
                yield child
        else:
            yield from _blocks(child)


def _recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*arguments)
        return checkpoint(_Rewound(forward, arguments), *arguments, use_reentrant=False)

    return run


class _Rewound:
    """A block's work; done a second time it draws what it drew the first time."""

    def __init__(self, forward: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._forward = forward
        sources = [one.generator for one in arguments if isinstance(one, GeneratorNoise)]
        self._before = [(source, source.get_state()) for source in sources]
        self._done = False

    def __call__(self, *arguments: Any) -> Any:
        if not self._done:
            self._done = True
            return self._forward(*arguments)
        now = [source.get_state() for source, _ in self._before]
        for source, state in self._before:
            source.set_state(state)
        try:
            return self._forward(*arguments)
        finally:
            for (source, _), state in zip(self._before, now, strict=True):
                source.set_state(state)
