"""What every system is, seen from outside: a loss to train with and a way to sample.

A forecaster receives physical values and returns physical values; it alone normalises.
Tensor layouts: inputs ``(B, H, C, Y, X)`` with the oldest history step first, static fields
``(B, S, Y, X)``, targets ``(B, L, D, Y, X)``, lead hours ``(B, L)``, samples
``(B, M, L, D, Y, X)``.  Masks are True where a value is real; masked values are finite fill.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn


class Batch(Protocol):
    """The samples of one step; ``data.batches`` makes them."""

    @property
    def inputs(self) -> Tensor:
        """Physical values ``(B, H, C, Y, X)``, the oldest step first."""

    @property
    def input_mask(self) -> Tensor:
        """Where inputs are real."""

    @property
    def static(self) -> Tensor:
        """Fields without time ``(B, S, Y, X)``."""

    @property
    def target(self) -> Tensor | None:
        """What is to be predicted, ``(B, L, D, Y, X)``; none when sampling."""

    @property
    def target_mask(self) -> Tensor | None:
        """Where the target is real."""

    @property
    def lead_hours(self) -> Tensor:
        """The leads of each sample ``(B, L)``."""

    @property
    def time(self) -> Tensor:
        """Initial times ``(B,)`` in seconds since 1970, in the dataset's calendar."""

    @property
    def lat(self) -> Tensor:
        """Latitudes of the target grid, ``(Y, X)`` or one grid a sample."""

    @property
    def lon(self) -> Tensor:
        """Longitudes, alike."""


class Noise(Protocol):
    """Random draws that depend on (seed, init, member) alone, never on how members are batched."""

    def normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Standard normal draws of shape ``(rows, *shape)``; a row is one (init, member)."""

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Uniform draws in [0, 1) of shape ``(rows, *shape)``."""


@dataclass(frozen=True)
class Channel:
    """One plane of a tensor: a variable, or a variable on one level."""

    variable: str
    level: float | None = None

    @property
    def name(self) -> str:
        """``t2m``, or ``t@500`` on a level: the key of its statistics."""
        return self.variable if self.level is None else f"{self.variable}@{self.level:g}"


@dataclass(frozen=True)
class ChannelStatistics:
    """The numbers that normalise one channel, after its transform was applied."""

    mean: float
    std: float
    transform: str = "identity"
    minimum: float | None = None
    maximum: float | None = None
    tendency_std: Mapping[str, float] = field(default_factory=dict)
    """Standard deviation of the change over a step, keyed by the printed step (``1h``)."""


@dataclass(frozen=True)
class LossTerm:
    """One declared part of a loss."""

    name: str
    weight: float = 1.0
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Blueprint:
    """Everything a forecaster is built from; a checkpoint carries all of it."""

    architecture: str
    settings: Mapping[str, object]
    inputs: tuple[Channel, ...]
    statics: tuple[Channel, ...]
    targets: tuple[Channel, ...]
    history: int
    leads: int
    step: str
    input_shape: tuple[int, int]
    target_shape: tuple[int, int]
    statistics: Mapping[str, ChannelStatistics]
    losses: tuple[LossTerm, ...]
    sampler: Mapping[str, object] = field(default_factory=dict)
    input_statistics: Mapping[str, ChannelStatistics] = field(default_factory=dict)
    """Where the inputs are another dataset's: equal names then have other numbers."""

    @property
    def numbers_of_inputs(self) -> Mapping[str, ChannelStatistics]:
        """The statistics that normalise the inputs."""
        return self.input_statistics or self.statistics


@dataclass(frozen=True)
class LossReport:
    """A scalar to minimise and the parts it was made of, for the log."""

    total: Tensor
    terms: Mapping[str, Tensor]
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much each term counts, where the total is their weighted sum."""


class Forecaster(nn.Module, ABC):
    """A trainable system.  ``semantics`` is raised when equal settings give other results."""

    semantics: ClassVar[int] = 1
    oriented: ClassVar[bool] = False
    """Whether rows must run from north to south and columns from west to east."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        self.blueprint = blueprint

    @abstractmethod
    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The training loss of a batch; every random draw comes from ``generator``."""

    @abstractmethod
    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """``members`` forecasts for each sample of a batch, in physical units."""
