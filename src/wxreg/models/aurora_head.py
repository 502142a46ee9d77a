"""`aurora-head`: a convective decoder on Aurora's own latent, beside the published one."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from wxreg.models.aurora import AuroraForecaster
from wxreg.models.aurora_batch import AuroraGrid
from wxreg.models.forecaster import Batch, Blueprint, LossReport
from wxreg.models.losses.fields import masked_mean
from wxreg.models.settings import AuroraHeadSettings


class ConvectiveHead(nn.Module):
    """Reads the decoder's input, surface and mean of the levels, and paints patches."""

    def __init__(self, latent: int, channels: int, hidden: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.layers = nn.Sequential(
            nn.Conv2d(2 * latent, hidden, 1),
            nn.GELU(),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(hidden, channels * patch**2, 1),
        )
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, latent: Tensor, resolution: tuple[int, int, int]) -> Tensor:
        """Tokens ``(B, C*H*W, D)`` to planes ``(B, channels, H*patch, W*patch)``."""
        levels, rows, columns = resolution
        tokens = latent.reshape(len(latent), levels, rows, columns, -1).movedim(-1, 2)
        seen = torch.cat([tokens[:, 0], tokens[:, 1:].mean(dim=1)], dim=1)
        return functional.pixel_shuffle(self.layers(seen), self.patch)


class AuroraWithHead(AuroraForecaster):
    """The head's change is added to the linear head's for the variables it is declared for."""

    semantics: ClassVar[int] = 1
    settings_type = AuroraHeadSettings
    own_terms = ("head",)

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        settings: AuroraHeadSettings = self.settings  # type: ignore[assignment]
        self.head_places = [
            self.place_of(name) for name in settings.head_variables
        ]  # fmt: skip
        self.head = ConvectiveHead(
            2 * settings.embed_dim, len(self.head_places), settings.head_width, settings.patch_size
        )
        weights = [settings.head_weights.get(name, 1.0) for name in settings.head_variables]
        self.head_weights = tuple(weights)

    def _one_lead(self, batch: Batch, lead_hours: Tensor) -> Tensor:
        caught: list[tuple[Tensor, tuple[int, int, int]]] = []

        def catch(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught.append((args[0], kwargs["patch_res"]))

        handle = self.network.decoder.register_forward_pre_hook(catch, with_kwargs=True)
        try:
            normalised = super()._one_lead(batch, lead_hours)
        finally:
            handle.remove()
        rows, columns = batch.inputs.shape[-2:]
        grid = AuroraGrid.fit((rows, columns), self.settings)
        change = grid.leave(self.head(*caught[0]).to(normalised))
        scaled = change * self.space.tendency[self.head_places]
        added = torch.zeros_like(normalised)
        added[:, self.head_places] = scaled
        return normalised + added

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses of all variables, and the head's own on top."""
        fields = self.fields(batch)
        errors = (fields.prediction - fields.target)[:, :, self.head_places].square()
        weights = errors.new_tensor(self.head_weights).reshape(-1, 1, 1)
        own = masked_mean(errors * weights, fields.mask[:, :, self.head_places])
        report: LossReport = self.losses(fields, {"head": own})
        return report
