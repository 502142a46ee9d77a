"""The settings that architectures take: closed, typed, and readable without torch.

A wrong name, type or range is refused before any network is built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from wxreg.errors import UsageError
from wxreg.ids import near_names
from wxreg.specs.base import FrozenDict, Spec

Parsed = TypeVar("Parsed", bound=Spec)
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


def parse_settings(kind: type[Parsed], settings: Mapping[str, object], where: str) -> Parsed:
    """The typed form of plain settings; ``UsageError`` names the first that is wrong."""
    try:
        return kind.model_validate_json(json.dumps(dict(settings), default=_plain))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            "REG-240",
            f"setting {name!r} is wrong: {first['msg'].lower()}",
            where=where,
            hint=_remedy(kind, name),
        ) from error


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"a {type(value).__name__} cannot be a setting")


def _remedy(kind: type[Spec], name: str) -> str:
    near = near_names(name, kind.model_fields)
    if name not in kind.model_fields and near:
        return f"did you mean {' or '.join(near)}?"
    return f"the settings are {', '.join(sorted(kind.model_fields))}"


class UNetSettings(Spec):
    """A U-Net that predicts the change over each lead."""

    base: Positive = 16
    """Channels on the finest level; they double with each level up to ``widest``."""
    depth: Annotated[int, Field(ge=0, le=8)] = 3
    """How often the grid is halved."""
    blocks: Positive = 1
    """Residual blocks on a level, on the way down and on the way up."""
    widest: Positive = 4
    """The most that channels grow, as a multiple of ``base``."""
    pad: Literal["reflect", "refuse"] = "reflect"
    """What happens to a grid that cannot be halved ``depth`` times."""


class DiffusionSettings(Spec):
    """A regression mean and a conditional diffusion of what it leaves."""

    base: Positive = 8
    """Channels on the finest level of the diffusion network."""
    mean_base: Positive = 8
    """Channels on the finest level of the network that predicts the mean."""
    depth: Annotated[int, Field(ge=0, le=8)] = 3
    blocks: Positive = 1
    widest: Positive = 2
    pad: Literal["reflect", "refuse"] = "reflect"
    resolution: Literal["full", "quarter", "coarse-and-fine"] = "full"
    """Where the diffusion runs: on the full grid, on a grid four times coarser, or on both."""
    noise_mean: float = -0.6
    """Mean of the logarithm of the noise levels that training draws."""
    noise_spread: Annotated[float, Field(gt=0)] = 1.2
    tracking: Share = 0.99
    """Memory of the running scale of what the mean leaves."""


class SamplerSettings(Spec):
    """How noise becomes a forecast."""

    name: str = "heun"
    steps: Positive = 12
    sigma_min: Annotated[float, Field(gt=0)] = 0.02
    sigma_max: Annotated[float, Field(gt=0)] = 80.0
    rho: Annotated[float, Field(gt=0)] = 7.0
    clamp: Annotated[float, Field(gt=0)] | None = None
    """A bound on the denoised field in normalised units; none, since bounds cut extremes."""


class AuroraSettings(Spec):
    """The published Aurora network on a regional grid."""

    patch_size: Annotated[int, Field(ge=2)] = 4
    embed_dim: Annotated[int, Field(ge=8)] = 512
    num_heads: Positive = 16
    window_size: tuple[int, int, int] = (2, 6, 12)
    encoder_depths: tuple[int, ...] = (6, 10, 8)
    encoder_num_heads: tuple[int, ...] = (8, 16, 32)
    decoder_depths: tuple[int, ...] = (8, 10, 6)
    decoder_num_heads: tuple[int, ...] = (32, 16, 8)
    latent_levels: Annotated[int, Field(ge=2)] = 4
    mlp_ratio: Annotated[float, Field(gt=0)] = 4.0
    dec_mlp_ratio: Annotated[float, Field(gt=0)] = 2.0
    stabilise_level_agg: bool = True
    dynamic_vars: bool = False
    """Give the network the hour, weekday and season as planes."""
    residual: bool = False
    """Heads predict the change from the last input step, scaled by the tendency statistics."""
    use_lora: bool = False
    train_only: Literal["all", "lora-and-new"] = "all"
    """With LoRA: only its matrices and the weights of added variables are trained."""
    recompute: bool = False
    """Activation checkpointing."""
    bf16: bool = False
    """Run the backbone in bfloat16."""
    warped: bool = False
    """Whether the west and east edges touch, as they do on a global grid only."""
    pad: Literal["replicate", "refuse"] = "replicate"
    """What happens to a grid that is no multiple of the patch."""


class AuroraHeadSettings(AuroraSettings):
    """Aurora with a convective decoder head."""

    head_variables: tuple[str, ...]
    """Targets (``refc`` or ``t@500``) that the head adds its change to."""
    head_width: Positive = 64
    head_weights: dict[str, Annotated[float, Field(ge=0)]] = FrozenDict()
    """The weight of each of them in the head's own loss; 1 if not named."""


class AuroraMultiscaleSettings(AuroraSettings):
    """Aurora trained on several coarsenings of the grid."""

    factors: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 2, 4)
    """How many cells a side are averaged: 3, 6 and 12 km views of a 3 km grid."""
    scale_weights: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """The weight of each view; equal if not given."""

    @model_validator(mode="after")
    def _one_weight_each(self) -> AuroraMultiscaleSettings:
        if self.scale_weights and len(self.scale_weights) != len(self.factors):
            raise ValueError("scale_weights needs one weight for each factor")
        return self


class TrioMember(Spec):
    """What one member of the trio predicts."""

    variables: tuple[str, ...]
    weights: dict[str, Annotated[float, Field(ge=0)]] = FrozenDict()
    """How much it counts for a variable that others predict too; 1 if not named."""


class AuroraTrioSettings(Spec):
    """Three Auroras of one shape."""

    network: AuroraSettings
    members: dict[str, TrioMember]
