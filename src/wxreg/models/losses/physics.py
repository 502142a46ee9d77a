"""Physical relations that truly hold, as penalties that are zero where they are kept.

Each is dimensionless and asked of what a member would hold: of a draw where the system draws,
since the mean of what could be need not keep what each member keeps.  What the source documents
proposed beyond these (that CAPE and CIN are linked one to one, that reflectivity is positive,
that storms move with one wind) is not true of the atmosphere or of the files, and so is no
penalty here.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from wxreg.errors import Incompatible
from wxreg.models.losses.fields import Fields, masked_mean
from wxreg.models.losses.term import Term
from wxreg.specs.base import Spec

_FREEZING = 273.15


def _plane(fields: Fields, variable: str, loss: str) -> Tensor:
    return fields.outcome[..., fields.place(variable, loss), :, :]


def _real(fields: Fields, variables: tuple[str, ...], loss: str) -> Tensor:
    planes = [fields.mask[..., fields.place(name, loss), :, :] for name in variables]
    return torch.stack(planes).all(dim=0)


class BoundsSettings(Spec):
    """Bounds of variables in physical units; ``None`` is no bound."""

    bounds: dict[str, tuple[float | None, float | None]]
    scale: Annotated[float, Field(gt=0)] = 1.0
    """The violation, in physical units, that counts 1."""


class Bounds(Term[BoundsSettings]):
    """Values beyond what is physically possible.

    CAPE, rain and speeds are never negative, CIN never positive.  Composite reflectivity is no
    positive variable: -10 dBZ says that there is no echo.
    """

    semantics: ClassVar[int] = 2
    settings_type = BoundsSettings

    def forward(self, fields: Fields) -> Tensor:
        """Mean squared violation over the variables that are bounded."""
        parts = [self._violation(fields, name, *b) for name, b in self.settings.bounds.items()]
        return torch.stack(parts).mean()

    def _violation(
        self, fields: Fields, name: str, low: float | None, high: float | None
    ) -> Tensor:
        value = _plane(fields, name, "bounds")
        beyond = torch.zeros_like(value)
        if low is not None:
            beyond = beyond + functional.relu(low - value)
        if high is not None:
            beyond = beyond + functional.relu(value - high)
        mask = _real(fields, (name,), "bounds")
        return masked_mean((beyond / self.settings.scale).square(), mask)


class ConservationSettings(Spec):
    """Which variables keep their block means."""

    variables: tuple[str, ...]
    absolute: Annotated[float, Field(ge=0)] = 0.0
    relative: Annotated[float, Field(ge=0)] = 0.0
    """Differences up to ``absolute + relative * |coarse|`` are within tolerance."""


class BlockMeanConservation(Term[ConservationSettings]):
    """The mean of the fine cells of a block is the coarse value that they refine.

    It holds for amounts and means (rain, mean temperature), not for daily extremes of a block.
    """

    semantics: ClassVar[int] = 2
    settings_type = ConservationSettings

    def forward(self, fields: Fields) -> Tensor:
        """Mean squared relative departure beyond the tolerance."""
        if fields.coarse is None:
            raise Incompatible(
                "REG-443", "block-mean conservation needs a coarse input of the same variable"
            )
        parts = [self._departure(fields, fields.coarse, name) for name in self.settings.variables]
        return torch.stack(parts).mean()

    def _departure(self, fields: Fields, coarse: Tensor, name: str) -> Tensor:
        place = fields.place(name, "conservation")
        wanted, fine = coarse[..., place, :, :], fields.outcome[..., place, :, :]
        factor = fine.shape[-1] // wanted.shape[-1]
        flat = fine.reshape(-1, 1, *fine.shape[-2:])
        means = functional.avg_pool2d(flat, factor).reshape(*fine.shape[:-2], *wanted.shape[-2:])
        known = torch.isfinite(wanted)
        given = torch.where(known, wanted, 0.0)
        allowed = self.settings.absolute + self.settings.relative * given.abs()
        size = given.abs().mean().detach().clamp(min=1e-6)
        beyond = functional.relu((means - given).abs() - allowed) / size
        return masked_mean(beyond.square(), known)


class ClausiusClapeyronSettings(Spec):
    """What is bounded by the moisture that air of a temperature can hold."""

    precipitation: str = "precip_24h"
    temperature: str = "t2m"
    at_freezing: Annotated[float, Field(gt=0)] = 60.0
    """The most rain (mm in the variable's window) that is believed at 0 °C."""
    rate: Annotated[float, Field(gt=0)] = 0.07
    """Growth per kelvin: saturation vapour pressure grows by 6 to 7 % a kelvin."""


class ClausiusClapeyron(Term[ClausiusClapeyronSettings]):
    """Rain beyond a bound that grows with temperature as saturation vapour pressure does.

    It is an upper bound and no equation: a moisture budget would need evaporation and the
    convergence of moisture, which the datasets here do not have.
    """

    semantics: ClassVar[int] = 2
    settings_type = ClausiusClapeyronSettings

    def forward(self, fields: Fields) -> Tensor:
        """Mean squared excess over the bound, relative to the bound."""
        options = self.settings
        names = (options.precipitation, options.temperature)
        rain, warmth = (_plane(fields, name, "clausius-clapeyron") for name in names)
        bound = options.at_freezing * torch.exp(options.rate * (warmth - _FREEZING))
        mask = _real(fields, names, "clausius-clapeyron")
        return masked_mean(functional.relu(rain / bound - 1).square(), mask)


class CapeCinSettings(Spec):
    """The pair, and how much CAPE counts 1."""

    cape: str = "cape_sb"
    cin: str = "cin_sb"
    scale: Annotated[float, Field(gt=0)] = 100.0


class CapeCin(Term[CapeCinSettings]):
    """The signs that the definitions fix: CAPE is never negative and CIN never positive."""

    semantics: ClassVar[int] = 1
    settings_type = CapeCinSettings

    def forward(self, fields: Fields) -> Tensor:
        """Mean squared violation in units of ``scale``."""
        names = (self.settings.cape, self.settings.cin)
        cape, cin = (_plane(fields, name, "cape-cin") for name in names)
        wrong = functional.relu(-cape).square() + functional.relu(cin).square()
        return masked_mean(wrong / self.settings.scale**2, _real(fields, names, "cape-cin"))


class ReflectivityUpdraftSettings(Spec):
    """The pair and the level of echo below which there is no deep updraft."""

    reflectivity: str = "refc"
    updraft: str = "maxuvv"
    echo: float = 0.0
    """dBZ at which rain begins."""
    calm: Annotated[float, Field(gt=0)] = 10.0
    """The strongest hourly updraft (m/s) that may stand in air without echo."""


class ReflectivityUpdraft(Term[ReflectivityUpdraftSettings]):
    """A strong hourly updraft leaves condensate: it does not stand where there is no echo at all.

    The converse is false (old and layered rain falls without updraft), so it is not asked for.
    """

    semantics: ClassVar[int] = 1
    settings_type = ReflectivityUpdraftSettings

    def forward(self, fields: Fields) -> Tensor:
        """Mean product of the excess updraft and the missing echo."""
        options = self.settings
        names = (options.reflectivity, options.updraft)
        echo, updraft = (_plane(fields, name, "reflectivity-updraft") for name in names)
        strong = functional.relu(updraft / options.calm - 1)
        silent = functional.relu((options.echo - echo) / 10.0)
        mask = _real(fields, names, "reflectivity-updraft")
        return masked_mean(strong * silent, mask)


class StormMotionSettings(Spec):
    """The motion, the shear and the wind near the ground, all of the same pair of axes."""

    motion: tuple[str, str] = ("ustm", "vstm")
    low_wind: tuple[str, str] = ("u10", "v10")
    shear: tuple[str, str] = ("vucsh", "vvcsh")
    deviation: Annotated[float, Field(gt=0)] = 7.5
    """m/s that right- and left-movers deviate from the mean wind (Bunkers et al. 2000)."""
    slack: Annotated[float, Field(ge=0)] = 15.0
    """m/s by which the straight-line estimate of the mean wind may be wrong."""


class StormMotion(Term[StormMotionSettings]):
    """Storm motion stays within reach of the mean wind of the layer.

    The mean wind is estimated as the low wind plus half of the 0-6 km shear.
    """

    semantics: ClassVar[int] = 1
    settings_type = StormMotionSettings

    def forward(self, fields: Fields) -> Tensor:
        """Mean squared distance beyond reach, in units of the deviation."""
        options = self.settings
        squared: Tensor | None = None
        for motion, wind, shear in zip(
            options.motion, options.low_wind, options.shear, strict=True
        ):
            mean = _plane(fields, wind, "storm-motion") + _plane(fields, shear, "storm-motion") / 2
            part = (_plane(fields, motion, "storm-motion") - mean).square()
            squared = part if squared is None else squared + part
        if squared is None:
            raise AssertionError("storm motion has two components")
        reach = options.deviation + options.slack
        beyond = functional.relu((squared + 1e-6).sqrt() - reach) / options.deviation
        names = (*options.motion, *options.low_wind, *options.shear)
        return masked_mean(beyond.square(), _real(fields, names, "storm-motion"))
