"""`nowcastnet`: the 3-D convolutional nowcasting baseline, for one or several modalities.

Frames keep their order: where the source document averages over time, a learned combination
gives each lead its own weights for every step.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wxreg.models.change_forecaster import ChangeForecaster
from wxreg.models.convolution_blocks import silent
from wxreg.models.forecaster import Batch, Blueprint
from wxreg.models.nowcasting_settings import NowcastNetSettings
from wxreg.models.settings import parse_settings


class NowcastNetwork(nn.Module):
    """Five 3-D convolutions at full resolution, then a 1x1 convolution over steps x channels."""

    def __init__(
        self, channels: int, history: int, leads: int, targets: int, settings: NowcastNetSettings
    ) -> None:
        super().__init__()
        base = settings.base
        widths = (channels, base, 2 * base, 4 * base, 2 * base, base)
        self.convolutions = nn.ModuleList(
            nn.Conv3d(before, after, 3, padding=(1, reach, reach), dilation=(1, reach, reach))
            for before, after, reach in zip(
                widths[:-1], widths[1:], settings.dilations, strict=True
            )
        )
        self.combine = silent(nn.Conv2d(base * history, leads * targets, 1))
        self.leads = leads

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, H, C, Y, X)`` to ``(B, L, D, Y, X)``."""
        hidden = frames.transpose(1, 2)
        for convolution in self.convolutions:
            hidden = functional.relu(convolution(hidden))
        return torch.unflatten(self.combine(hidden.flatten(1, 2)), 1, (self.leads, -1))


class NowcastNet(ChangeForecaster):
    """All leads at once, as changes from the last observed frame."""

    semantics: ClassVar[int] = 1

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.network = NowcastNetwork(
            len(blueprint.inputs),
            blueprint.history,
            blueprint.leads,
            len(blueprint.targets),
            parse_settings(NowcastNetSettings, blueprint.settings, blueprint.architecture),
        )

    def changes(self, batch: Batch, history: Tensor) -> Tensor:
        """The scaled changes of all leads."""
        return torch.as_tensor(self.network(history))
