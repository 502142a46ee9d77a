"""Losses of ensembles: ``prediction`` is ``(B, M, L, D, Y, X)``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.losses.fields import Fields, masked_mean
from wxreg.models.losses.term import Term
from wxreg.specs.base import Spec


class AlmostFairSettings(Spec):
    """How fair."""

    alpha: Annotated[float, Field(ge=0, le=1)] = 0.95
    """1 is the fair CRPS, which cannot see members that coincide; a little less keeps them
    apart (Lang et al. 2024)."""


class AlmostFairCrps(Term[AlmostFairSettings]):
    """The almost fair CRPS: a proper aim for ensembles of few members."""

    semantics: ClassVar[int] = 1
    settings_type = AlmostFairSettings

    def forward(self, fields: Fields) -> Tensor:
        """The loss of an ensemble of at least two members."""
        ensemble = fields.prediction
        if ensemble.dim() != 6 or ensemble.shape[1] < 2:
            raise Incompatible(
                "REG-443",
                "the almost fair CRPS compares members, and there are fewer than two",
                hint="train with at least two members, or use mae",
            )
        members = ensemble.shape[1]
        distance = (ensemble - fields.target[:, None]).abs().mean(dim=1)
        pairs = (ensemble[:, :, None] - ensemble[:, None]).abs().sum(dim=(1, 2))
        epsilon = (1 - self.settings.alpha) / members
        fair = pairs * (1 - epsilon) / (2 * members * (members - 1))
        return masked_mean(distance - fair, fields.mask)
