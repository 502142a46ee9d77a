"""What every loss is: a module made from settings that turns fields into one number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn

from wxreg.models.losses.fields import Fields
from wxreg.models.settings import parse_settings
from wxreg.specs.base import Spec

Declared = TypeVar("Declared", bound=Spec)


class Term(nn.Module, ABC, Generic[Declared]):
    """One loss.  ``semantics`` is raised when equal settings give other numbers."""

    semantics: ClassVar[int] = 1
    settings_type: type[Declared]

    def __init__(self, settings: Mapping[str, object]) -> None:
        super().__init__()
        self.settings = parse_settings(self.settings_type, settings, type(self).__name__)

    @abstractmethod
    def forward(self, fields: Fields) -> Tensor:
        """The unweighted loss of a prediction."""
