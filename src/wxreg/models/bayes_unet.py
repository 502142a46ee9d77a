"""`bayes-unet-era5`: the downscaling U-Net with Monte Carlo dropout.

Dropout stays alive when members are drawn; its masks come from the member's own noise.
"""

from __future__ import annotations

from typing import ClassVar

from wxreg.models.downscaling_network import DownscalingNetwork
from wxreg.models.downscaling_settings import BayesSettings, DownscalingSettings
from wxreg.models.downscaling_unet import DownscalingUNet


class BayesUNet(DownscalingUNet):
    """Each member silences other channels of the decoder."""

    settings_type: ClassVar[type[DownscalingSettings]] = BayesSettings
    settings: BayesSettings
    alive: ClassVar[bool] = True

    def make_network(self, inputs: int, outputs: int) -> DownscalingNetwork:
        """The network with the declared dropout in every decoder level."""
        chosen = self.settings
        return DownscalingNetwork(
            inputs, outputs, base=chosen.base, levels=chosen.levels, dropout=chosen.dropout
        )
