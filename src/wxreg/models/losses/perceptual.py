"""A perceptual loss: fields should look alike to a network that knows texture.

Each layer's difference is divided by the size of the target's features there, so the term is
of order one like a normalised squared error and neither swamps the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from wxreg.ids import Sha256
from wxreg.models.losses.fields import Fields
from wxreg.models.losses.term import Term
from wxreg.models.vgg_features import (
    PUBLISHED_WIDTHS,
    VGGFeatures,
    published_features,
    seeded_random_features,
)
from wxreg.specs.base import Spec


class PerceptualSettings(Spec):
    """Which features are compared, and which normalised values are black and white."""

    features: Literal["vgg16", "seeded-random-features"] = "vgg16"
    weights: str | None = None
    """The safetensors file of VGG16."""
    sha256: Sha256 | None = None
    """The SHA-256 of that file."""
    seed: Annotated[int, Field(ge=0)] = 0
    widths: tuple[int, int, int, int] = PUBLISHED_WIDTHS
    """Channels of the four stages of the seeded features."""
    black: float = -1.0
    white: float = 4.0

    @model_validator(mode="after")
    def _declared(self) -> PerceptualSettings:
        if self.features == "vgg16" and (self.weights is None or self.sha256 is None):
            raise ValueError(
                "vgg16 needs the weights file and its sha256; without the file declare "
                "`features: seeded-random-features`"
            )
        return self


class Perceptual(Term[PerceptualSettings]):
    """The mean relative difference of four layers of features."""

    semantics: ClassVar[int] = 1
    settings_type = PerceptualSettings

    def __init__(self, settings: Mapping[str, object]) -> None:
        """The features stand in a list so that they are no part of the model's weights."""
        super().__init__(settings)
        with torch.device("cpu"):
            self._features = [_features(self.settings)]

    def forward(self, fields: Fields) -> Tensor:
        """The loss of a prediction; missing target cells look equal in both."""
        features = self._features[0].to(fields.prediction.device)
        prediction = torch.where(fields.mask, fields.prediction, fields.target)
        shown = features(self._grey(prediction))
        with torch.no_grad():
            wanted = features(self._grey(fields.target))
        layers = [
            (one - other).square().mean() / other.square().mean().clamp(min=1e-8)
            for one, other in zip(shown, wanted, strict=True)
        ]
        return torch.stack(layers).mean()

    def _grey(self, values: Tensor) -> Tensor:
        planes = values.flatten(0, 2)[:, None]
        black, white = self.settings.black, self.settings.white
        return (planes - black) / (white - black)


def _features(settings: PerceptualSettings) -> VGGFeatures:
    if settings.features == "seeded-random-features":
        return seeded_random_features(settings.seed, settings.widths)
    if settings.weights is None or settings.sha256 is None:
        raise AssertionError("the settings were checked when they were parsed")
    return published_features(Path(settings.weights), settings.sha256)
