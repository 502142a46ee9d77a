"""`aurora-trio`: three Auroras, each for one aspect of convection, as one declared forecaster.

It is one deterministic forecast made of three, and no ensemble: variables that several members
predict are combined by declared weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from wxreg.errors import Incompatible
from wxreg.models.aurora import AuroraForecaster
from wxreg.models.forecaster import Batch, Blueprint, Forecaster, LossReport, Noise
from wxreg.models.settings import AuroraTrioSettings, TrioMember, parse_settings
from wxreg.models.views import select_channels

ROLES: Final = ("reflectivity", "thermodynamic", "kinematic")


class AuroraTrio(Forecaster):
    """Trains the three members side by side and returns one forecast."""

    semantics: ClassVar[int] = 1
    oriented: ClassVar[bool] = True

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        where = blueprint.architecture
        settings = parse_settings(AuroraTrioSettings, blueprint.settings, where)
        missing = [role for role in ROLES if role not in settings.members]
        if missing:
            raise Incompatible(
                "REG-444",
                f"the trio lacks its {' and '.join(missing)} member",
                where=where,
                hint=f"declare all of {', '.join(ROLES)} under members",
            )
        shared = settings.network.model_dump(mode="json")
        self.places = {role: _places(blueprint, settings.members[role]) for role in ROLES}
        self.members = nn.ModuleDict(
            {role: AuroraForecaster(_part(blueprint, self.places[role], shared)) for role in ROLES}
        )
        self.shares = _shares(blueprint, settings.members, self.places)

    def loss(self, batch: Batch, generator: torch.Generator) -> LossReport:
        """The sum of the members' losses; each term is named after its member."""
        reports = {
            role: self.members[role].loss(self._view(batch, role), generator)  # type: ignore[operator]
            for role in ROLES
        }
        terms = {
            f"{role} {name}": value
            for role, report in reports.items()
            for name, value in report.terms.items()
        }
        weights = {
            f"{role} {name}": weight
            for role, report in reports.items()
            for name, weight in report.weights.items()
        }
        return LossReport(torch.stack([r.total for r in reports.values()]).sum(), terms, weights)

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """One forecast of all targets, repeated for each member asked for."""
        total: Tensor | None = None
        for role in ROLES:
            part = self.members[role].sample(self._view(batch, role), 1, noise)[:, 0]  # type: ignore[operator]
            if total is None:
                whole = len(self.blueprint.targets)
                total = part.new_zeros(*part.shape[:2], whole, *part.shape[3:])
            shares = part.new_tensor(self.shares[role]).reshape(-1, 1, 1)
            total[:, :, self.places[role]] += part * shares
        if total is None:
            raise AssertionError("a trio has members")
        return total[:, None].expand(-1, members, -1, -1, -1, -1)

    def _view(self, batch: Batch, role: str) -> Batch:
        chosen = [self.blueprint.targets[place] for place in self.places[role]]
        inputs = [self.blueprint.inputs.index(channel) for channel in chosen]
        return select_channels(batch, inputs, self.places[role])


def _places(blueprint: Blueprint, member: TrioMember) -> list[int]:
    """The target channels of a member's variables (and of all their levels)."""
    places = [
        place
        for place, channel in enumerate(blueprint.targets)
        if channel.variable in member.variables or channel.name in member.variables
    ]
    known = {name for c in blueprint.targets for name in (c.variable, c.name)}
    unknown = [name for name in member.variables if name not in known]
    if unknown:
        raise Incompatible("REG-444", f"a member wants {', '.join(unknown)}, which is no target")
    return places


def _part(blueprint: Blueprint, places: list[int], network: Mapping[str, object]) -> Blueprint:
    channels = tuple(blueprint.targets[place] for place in places)
    return replace(
        blueprint, architecture="aurora", settings=network, inputs=channels, targets=channels
    )


def _shares(
    blueprint: Blueprint, members: Mapping[str, TrioMember], places: Mapping[str, list[int]]
) -> dict[str, list[float]]:
    """Each member's share in each of its channels; the shares of a channel sum to one."""

    def weight(role: str, place: int) -> float:
        channel = blueprint.targets[place]
        weights = members[role].weights
        return weights.get(channel.name, weights.get(channel.variable, 1.0))

    totals = {
        place: sum(weight(role, place) for role in ROLES if place in places[role])
        for place in range(len(blueprint.targets))
    }
    left_out = [blueprint.targets[place].name for place, total in totals.items() if total <= 0]
    if left_out:
        raise Incompatible(
            "REG-444",
            f"no member predicts {', '.join(left_out)}",
            hint="give each target to a member, with a weight above 0",
        )
    return {role: [weight(role, p) / totals[p] for p in places[role]] for role in ROLES}
