"""The settings of the systems that sharpen coarse fields."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wxreg.models.settings import DiffusionSettings, Positive, Share
from wxreg.specs.base import Spec


class HarpnetSettings(Spec):
    """The attention-gated residual U-Net."""

    base: Positive = 64
    levels: Annotated[int, Field(ge=1, le=6)] = 4
    dropout: tuple[Share, Share] = (0.5, 0.1)
    """The rate at the bottom of the decoder and at its top; linear between."""
    halo: Annotated[int, Field(ge=0)] = 0
    """Target cells along the edges of a training tile that are seen but not scored."""


class DownscalingSettings(Spec):
    """A residual U-Net over bilinear interpolation."""

    base: Positive = 32
    levels: Annotated[int, Field(ge=1, le=6)] = 3
    heteroscedastic: bool = False
    """Predict a standard deviation for each cell too, for likelihood losses."""
    aleatoric: bool = False
    """Members carry a draw of that standard deviation."""


class BayesSettings(DownscalingSettings):
    """The same network with dropout that stays alive when members are drawn."""

    dropout: Share = 0.2


class VariationalSettings(DownscalingSettings):
    """The same network with a distribution over the weights of its decoder."""

    initial_std: Annotated[float, Field(gt=0)] = 0.02
    """Standard deviation of each weight before training."""
    prior_std: Annotated[float, Field(gt=0)] = 0.1


class CorrDiffSettings(DiffusionSettings):
    """A regression mean, which may live on a coarser grid, and a diffusion on the full one."""

    mean_factor: Positive = 1
    """How many cells a side the mean is computed on at once.

    What a mean says about scales that its input does not hold is noise, and the diffusion
    would add the true power of those scales to it.
    """


class DistillationSettings(CorrDiffSettings):
    """A teacher and a student of the same shape."""

    teacher_steps: Positive = 18
    """Noise levels between which the student learns to agree with itself."""
    student_steps: Annotated[int, Field(ge=1, le=4)] = 2
    middle_sigma: Annotated[float, Field(gt=0)] = 1.0
    """The noise level that steps after the first start from; halved with each further one."""
    target_memory: Share = 0.95
    """Memory of the slowly following copy of the student that gives the targets."""
