"""A loss of power spectra, so that small scales are neither lost nor invented."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from wxreg.models.losses.fields import Fields
from wxreg.models.losses.term import Term
from wxreg.specs.base import Spec

_FLOOR = 1e-4


class SpectralSettings(Spec):
    """The loss has no settings."""


class LogSpectrum(Term[SpectralSettings]):
    """Mean squared difference of the logarithms of isotropic power spectra.

    Fields are tapered with a Hann window, since a regional grid is not periodic; masked cells
    are 0 in both.  It says nothing about where things are: use it beside a pointwise loss.
    """

    semantics: ClassVar[int] = 1
    settings_type = SpectralSettings

    def forward(self, fields: Fields) -> Tensor:
        """The loss over all wavenumber bins, channels and leads."""
        gap = fields.mask.logical_not()
        predicted = _spectrum(fields.prediction.masked_fill(gap, 0.0))
        wanted = _spectrum(fields.target.masked_fill(gap, 0.0))
        return (predicted.add(_FLOOR).log() - wanted.add(_FLOOR).log()).square().mean()


def _spectrum(fields: Tensor) -> Tensor:
    """Mean power in rings of equal wavenumber: ``(..., K)``."""
    rows, columns = fields.shape[-2:]
    window = torch.outer(
        torch.hann_window(rows, periodic=False), torch.hann_window(columns, periodic=False)
    ).to(fields)
    centred = fields - fields.mean(dim=(-2, -1), keepdim=True)
    power = torch.fft.rfft2(centred * window, norm="ortho").abs().square()
    ky = torch.fft.fftfreq(rows)[:, None].to(fields.device)
    kx = torch.fft.rfftfreq(columns)[None].to(fields.device)
    bins = min(rows, columns) // 2
    ring = ((kx.square() + ky.square()).sqrt() * 2 * bins).round().long().clamp(max=bins)
    one_hot = torch.nn.functional.one_hot(ring.flatten(), bins + 1).to(fields)[:, 1:]
    return torch.matmul(power.flatten(-2), one_hot / one_hot.sum(dim=0).clamp(min=1))
