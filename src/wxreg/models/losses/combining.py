"""Declared terms with their weights, summed; each one's value and pull can be logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from wxreg.errors import UsageError
from wxreg.models.forecaster import Channel, LossReport, LossTerm
from wxreg.models.losses.fields import Fields
from wxreg.specs.architecture import LOSSES


class CombinedLoss(nn.Module):
    """The weighted sum of declared terms.

    Terms in ``own`` are computed by the architecture itself and passed to :meth:`forward`; if
    they are not declared they count 1.
    """

    def __init__(
        self, terms: Sequence[LossTerm], targets: Sequence[Channel], own: Sequence[str] = ()
    ) -> None:
        super().__init__()
        names = [term.name for term in terms]
        if len(set(names)) != len(names):
            raise UsageError("REG-240", f"a loss is declared twice: {', '.join(names)}")
        self.targets = tuple(targets)
        self.weights = {**dict.fromkeys(own, 1.0), **{term.name: term.weight for term in terms}}
        self.terms = nn.ModuleDict(
            {term.name: LOSSES.find(term.name).load()(term.settings) for term in terms
             if term.name not in own}
        )  # fmt: skip

    def forward(self, fields: Fields, own: Mapping[str, Tensor] | None = None) -> LossReport:
        """Every term's unweighted value and their weighted sum."""
        values = {name: term(fields) for name, term in self.terms.items()}
        return self.total({**values, **(own or {})})

    def total(self, values: Mapping[str, Tensor]) -> LossReport:
        """The report of values that are known already."""
        weighted = [self.weights[name] * value for name, value in values.items()]
        weights = {name: self.weights[name] for name in values}
        return LossReport(torch.stack(weighted).sum(), dict(values), weights)


def gradient_shares(
    report: LossReport, weights: Mapping[str, float], parameters: Sequence[Tensor]
) -> dict[str, float]:
    """Each term's share of the summed gradient norms: who pulls how hard.

    Call it before ``backward``; it keeps the graph.  Terms that do not touch the parameters
    have the share 0.
    """
    norms = {
        name: weights.get(name, 1.0) * _gradient_norm(value, parameters)
        for name, value in report.terms.items()
    }
    total = sum(norms.values())
    return {name: norm / total if total else 0.0 for name, norm in norms.items()}


def _gradient_norm(value: Tensor, parameters: Sequence[Tensor]) -> float:
    if not value.requires_grad:
        return 0.0
    gradients = torch.autograd.grad(value, list(parameters), retain_graph=True, allow_unused=True)
    squares = [float(g.square().sum()) for g in gradients if g is not None]
    return float(sum(squares) ** 0.5)
