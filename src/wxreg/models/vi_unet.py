"""`vi-unet-era5`: the downscaling U-Net whose decoder weights have a distribution.

Trained by Bayes by backprop: the data term sees drawn weights, and the own term `divergence`
(per weight) pulls the distribution towards its prior.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from torch import Tensor

from wxreg.models.downscaling_network import DownscalingNetwork
from wxreg.models.downscaling_settings import DownscalingSettings, VariationalSettings
from wxreg.models.downscaling_unet import DownscalingUNet
from wxreg.models.stochastic_layers import VariationalConvolution

DIVERGENCE = "divergence"


class VariationalUNet(DownscalingUNet):
    """Each member is one draw of the decoder's weights."""

    settings_type: ClassVar[type[DownscalingSettings]] = VariationalSettings
    settings: VariationalSettings
    own_terms: ClassVar[tuple[str, ...]] = (DIVERGENCE,)
    alive: ClassVar[bool] = True

    def make_network(self, inputs: int, outputs: int) -> DownscalingNetwork:
        """The network with variational convolutions in every decoder level."""
        chosen = self.settings
        convolution = partial(
            VariationalConvolution, initial_std=chosen.initial_std, prior_std=chosen.prior_std
        )
        return DownscalingNetwork(
            inputs, outputs, base=chosen.base, levels=chosen.levels, convolution=convolution
        )

    def own_losses(self) -> dict[str, Tensor]:
        """The divergence of the weights from their prior."""
        return {DIVERGENCE: self.network.divergence()}
