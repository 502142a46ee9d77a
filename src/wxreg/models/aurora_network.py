"""The published Aurora network, made fit for a regional grid.

`regional_aurora` returns an instance of `aurora.Aurora` with its published state-dict names.
Three things differ from the global model, none of which adds a weight: the shifted windows do
not join the west edge to the east edge; masked attention is exactly zero instead of e⁻¹⁰⁰; and,
if asked for, heads predict the scaled change from the last input step.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from torch import Tensor, nn

from wxreg.models.aurora_names import Layout
from wxreg.models.aurora_shapes import numbers_on_cpu
from wxreg.models.aurora_timm import load_aurora
from wxreg.models.settings import AuroraSettings

_ADAPTER_SETTINGS = frozenset(
    {"residual", "train_only", "recompute", "bf16", "warped", "pad"}
)  # fmt: skip


def regional_aurora(
    settings: AuroraSettings,
    layout: Layout,
    statics: tuple[str, ...],
    surf_stats: Mapping[str, tuple[float, float]],
    history: int,
    tendency: Mapping[str, Tensor] | None,
) -> Any:
    """An `aurora.Aurora`; ``tendency`` holds the sizes of changes in normalised units by name."""
    network_class = _residual_class() if tendency is not None else load_aurora().Aurora
    options = network_arguments(settings, layout, statics, surf_stats, history)
    with warnings.catch_warnings(), numbers_on_cpu():
        warnings.filterwarnings("ignore", message="The normalisation stati")
        network = network_class(
            **options,
            timestep=timedelta(hours=1),  # not used: the lead times are given with each call
        )
    if tendency is not None:
        network.tendency = dict(tendency)
    if not settings.warped:
        unwarp(network)
    if settings.recompute:
        network.configure_activation_checkpointing()
    if settings.train_only == "lora-and-new":
        freeze_published(network, layout)
    return network


def network_arguments(
    settings: AuroraSettings,
    layout: Layout,
    statics: tuple[str, ...],
    surf_stats: Mapping[str, tuple[float, float]],
    history: int,
) -> dict[str, Any]:
    """What the published class is built with: plain values, so that a card can show them."""
    published = set(AuroraSettings.model_fields) - _ADAPTER_SETTINGS
    return {
        **settings.model_dump(include=published),
        "surf_vars": layout.surface_names,
        "atmos_vars": layout.atmosphere_names,
        "static_vars": statics,
        "surf_stats": dict(surf_stats),
        "max_history_size": history,
        "variable_lead_time": True,
        "autocast": settings.bf16,
    }


def _residual_class() -> type[Any]:
    """Aurora whose heads predict changes, through the hook that Aurora offers for it."""
    aurora: Any = load_aurora().Aurora

    class ResidualAurora(aurora):
        """Adds the last input step to what the heads say, in normalised space."""

        tendency: dict[str, Tensor]

        def _post_decoder_hook(self, batch: Any, pred: Any) -> Any:
            def with_base(kind: str) -> dict[str, Tensor]:
                before, heads = getattr(batch, kind), getattr(pred, kind)
                return {
                    name: before[name][:, -1:] + head * self.tendency[name].to(head)
                    for name, head in heads.items()
                }

            return dataclasses.replace(
                pred, surf_vars=with_base("surf_vars"), atmos_vars=with_base("atmos_vars")
            )

    return ResidualAurora


def unwarp(network: nn.Module) -> None:
    """Cut the link between the west and east edges in every shifted-window block."""
    from aurora.model.swin3d import Swin3DTransformerBlock, WindowAttention

    for module in network.modules():
        if isinstance(module, Swin3DTransformerBlock):
            module.register_forward_pre_hook(_not_warped, with_kwargs=True)
        elif isinstance(module, WindowAttention):
            module.register_forward_pre_hook(_exact_mask, with_kwargs=True)


def _not_warped(
    _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, {**kwargs, "warped": False}


def _exact_mask(
    _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    mask = kwargs.get("mask")
    if mask is None:
        return args, kwargs
    return args, {**kwargs, "mask": mask.masked_fill(mask < 0, float("-inf"))}


def freeze_published(network: nn.Module, layout: Layout) -> None:
    """Train only the LoRA matrices and the weights of variables that Aurora did not know."""
    published = {"2t", "10u", "10v", "msl", "z", "u", "v", "t", "q", "lsm", "slt"}
    added = {*layout.surface_names, *layout.atmosphere_names} - published
    for name, parameter in network.named_parameters():
        parameter.requires_grad = ".lora_" in name or any(part in added for part in name.split("."))
