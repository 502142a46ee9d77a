"""`aurora`: the published Aurora network on a regional grid, with variables of its own choice."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from wxreg.errors import Incompatible
from wxreg.models.aurora_batch import AuroraGrid, to_aurora, to_planes
from wxreg.models.aurora_names import STATIC, Layout, lay_out
from wxreg.models.aurora_network import regional_aurora
from wxreg.models.aurora_statistics import aurora_statistics
from wxreg.models.aurora_timm import load_aurora
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.losses.combining import CombinedLoss
from wxreg.models.losses.fields import Fields
from wxreg.models.residuals import ResidualSpace
from wxreg.models.settings import AuroraSettings, parse_settings


class AuroraForecaster(Forecaster):
    """One deterministic forecast per lead; every input is also a target."""

    semantics: ClassVar[int] = 1
    oriented: ClassVar[bool] = True
    settings_type: ClassVar[type[AuroraSettings]] = AuroraSettings
    own_terms: ClassVar[tuple[str, ...]] = ()
    """Loss terms that a derived class computes itself."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        load_aurora()
        self.settings = parse_settings(
            self.settings_type, blueprint.settings, blueprint.architecture
        )
        _check_targets(blueprint)
        self.layout = _with_levels(lay_out(blueprint.inputs))
        AuroraGrid.fit(blueprint.target_shape, self.settings)
        self.space = ResidualSpace(blueprint)
        self.losses = CombinedLoss(blueprint.losses, blueprint.targets, self.own_terms)
        self.numbers = aurora_statistics(
            self.layout, blueprint.statics, blueprint.statistics
        )  # fmt: skip
        self.order = tuple(blueprint.inputs.index(channel) for channel in blueprint.targets)
        self.network = self._network()
        self.numbers.verify(self.network)

    def _network(self) -> Any:
        blueprint = self.blueprint
        return regional_aurora(
            self.settings,
            self.layout,
            tuple(STATIC.get(c.variable, c.variable) for c in blueprint.statics),
            self.numbers.surface,
            blueprint.history,
            self._tendencies() if self.settings.residual else None,
        )

    def _tendencies(self) -> dict[str, Tensor]:
        """The sizes of changes by Aurora's names, shaped to multiply its heads."""
        places = {channel: place for place, channel in enumerate(self.blueprint.targets)}
        sizes = self.space.tendency.flatten()

        def size(channel_number: int) -> Tensor:
            return sizes[places[self.blueprint.inputs[channel_number]]]

        surface = {name: size(place) for name, place in self.layout.surface}
        columns = {
            name: torch.stack([size(place) for place in column]).reshape(-1, 1, 1)
            for name, column in self.layout.atmosphere
        }
        return {**surface, **columns}

    def changes(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Aurora's forecast as scaled changes ``(B, L, D, Y, X)``, and the base."""
        base = self.space.base(self.space.history(batch))
        leads = [self._one_lead(batch, lead) for lead in batch.lead_hours.unbind(1)]
        normalised = torch.stack(leads, dim=1)
        return (normalised - base[:, None]) / self.space.scale(batch.lead_hours), base

    def _one_lead(self, batch: Batch, lead_hours: Tensor) -> Tensor:
        """The normalised forecast at one lead of each sample: ``(B, D, Y, X)``."""
        rows, columns = batch.inputs.shape[-2:]
        grid = AuroraGrid.fit((rows, columns), self.settings)
        transformed = self.space.inputs.transform(batch.inputs, batch.input_mask)
        given = to_aurora(batch, transformed, self.layout, self.blueprint.statics, grid)
        with self.numbers.in_force():
            forecast = self.network(given, lead_times=lead_hours.to(torch.float32))
        planes = to_planes(forecast, self.layout, grid)[:, self.order]
        return torch.as_tensor((planes - self.space.targets.mean) / self.space.targets.std)

    def fields(self, batch: Batch) -> Fields:
        """The prediction beside the target, as losses want them."""
        changes, base = self.changes(batch)
        return self.space.fields(batch, base, changes)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The declared losses of the scaled changes."""
        report: LossReport = self.losses(self.fields(batch))
        return report

    def place_of(self, name: str) -> int:
        """The target channel called ``refc`` or ``t@500``; refused if there is none."""
        names = [channel.name for channel in self.blueprint.targets]
        if name not in names:
            raise Incompatible(
                "REG-443",
                f"{name} is not among the targets",
                hint=f"the targets are {', '.join(names)}",
            )
        return names.index(name)

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """The one forecast, repeated for each member."""
        changes, base = self.changes(batch)
        physical = self.space.decode(changes, base, batch.lead_hours)
        return physical[:, None].expand(-1, members, -1, -1, -1, -1)


def _check_targets(blueprint: Blueprint) -> None:
    if set(blueprint.inputs) != set(blueprint.targets):
        odd = sorted(c.name for c in {*blueprint.inputs} ^ {*blueprint.targets})
        raise Incompatible(
            "REG-442",
            f"Aurora predicts what it is given, but these are on one side only: {', '.join(odd)}",
            hint="list the same variables under inputs and targets",
        )


def _with_levels(layout: Layout) -> Layout:
    if not layout.atmosphere or not layout.surface:
        raise Incompatible(
            "REG-442",
            "Aurora needs surface variables and at least one variable on pressure levels",
            hint="add for example t on 500 and 850 hPa to inputs and targets",
        )
    return layout
