"""Physical values to normalised ones and back: transform, shift, scale, and nothing lost.

``invert(normalise(x)) == x`` wherever the transform is defined.  Values that are masked or not
a number become 0, which is the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from wxreg.errors import Incompatible
from wxreg.models.forecaster import Channel, ChannelStatistics

_EDGE = 1e-6
_SMALLEST = 1e-6
_QUANTILES = 256
_Map = Callable[[Tensor, float, float], Tensor]


def _share(x: Tensor, low: float, high: float) -> Tensor:
    return ((x - low) / (high - low)).clamp(_EDGE, 1 - _EDGE)


_FORWARD: Mapping[str, _Map] = {
    "identity": lambda x, low, high: x,
    "log1p": lambda x, low, high: x.clamp(min=0).log1p(),
    "sqrt": lambda x, low, high: x.clamp(min=0).sqrt(),
    "logit": lambda x, low, high: _share(x, low, high).logit(),
    "clip": lambda x, low, high: x.clamp(low, high),
}
_INVERSE: Mapping[str, _Map] = {
    "identity": lambda z, low, high: z,
    "log1p": lambda z, low, high: z.clamp(min=0).expm1(),
    "sqrt": lambda z, low, high: z.clamp(min=0).square(),
    "logit": lambda z, low, high: low + (high - low) * z.sigmoid(),
    "clip": lambda z, low, high: z.clamp(low, high),
}


def statistics_of(
    channels: Sequence[Channel], statistics: Mapping[str, ChannelStatistics]
) -> tuple[ChannelStatistics, ...]:
    """The statistics of each channel in order; a channel without any is refused."""
    missing = [channel.name for channel in channels if channel.name not in statistics]
    if missing:
        raise Incompatible(
            "REG-441",
            f"no statistics for {', '.join(missing)}",
            hint="`reg stats compute` makes them; a name on a level is written t@500",
        )
    return tuple(statistics[channel.name] for channel in channels)


class Normaliser(nn.Module):
    """Normalises planes ``(..., C, Y, X)`` in the order of its channels."""

    mean: Tensor
    std: Tensor
    physical_spread: Tensor
    """The standard deviation of physical values that the statistics imply ``(C, 1, 1)``."""

    def __init__(
        self, channels: Sequence[Channel], statistics: Mapping[str, ChannelStatistics]
    ) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.statistics = statistics_of(channels, statistics)
        for channel, numbers in zip(self.channels, self.statistics, strict=True):
            _check(channel, numbers)
        planes = (len(self.channels), 1, 1)
        mean = torch.tensor([s.mean for s in self.statistics], dtype=torch.float32)
        std = torch.tensor([s.std for s in self.statistics], dtype=torch.float32)
        self.register_buffer("mean", mean.reshape(planes), persistent=False)
        self.register_buffer("std", std.reshape(planes), persistent=False)
        self.register_buffer("physical_spread", self._implied_spread(), persistent=False)

    def transform(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Transform only; what is not real becomes the mean, so that nothing is missing."""
        transformed = self._map(values, _FORWARD)
        real = torch.isfinite(transformed)
        return torch.where(real if mask is None else mask & real, transformed, self.mean)

    def normalise(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Transform, shift and scale; what is not real becomes 0."""
        return (self.transform(values, mask) - self.mean) / self.std

    def invert(self, scaled: Tensor) -> Tensor:
        """The physical values of normalised ones."""
        return self._map(scaled * self.std + self.mean, _INVERSE)

    def _implied_spread(self) -> Tensor:
        """The spread of physical values if normalised ones were normal: no batch changes it."""
        shares = (torch.arange(_QUANTILES, device=self.mean.device) + 0.5) / _QUANTILES
        levels = torch.special.ndtri(shares).reshape(-1, 1, 1, 1)
        if not self.statistics:
            return self.std
        return self.invert(levels.expand(-1, *self.mean.shape)).std(dim=0).clamp(min=_SMALLEST)

    def _map(self, values: Tensor, maps: Mapping[str, _Map]) -> Tensor:
        if all(numbers.transform == "identity" for numbers in self.statistics):
            return values
        planes = [
            maps[numbers.transform](plane, *_bounds(numbers))
            for plane, numbers in zip(values.unbind(-3), self.statistics, strict=True)
        ]
        return torch.stack(planes, dim=-3)


def _bounds(numbers: ChannelStatistics) -> tuple[float, float]:
    low = float("-inf") if numbers.minimum is None else numbers.minimum
    high = float("inf") if numbers.maximum is None else numbers.maximum
    return low, high


def _check(channel: Channel, numbers: ChannelStatistics) -> None:
    if numbers.transform not in _FORWARD:
        raise Incompatible(
            "REG-441",
            f"{channel.name} has the unknown transform {numbers.transform!r}",
            hint=f"transforms are {', '.join(_FORWARD)}",
        )
    if not numbers.std > 0:
        raise Incompatible(
            "REG-441",
            f"{channel.name} has the standard deviation {numbers.std}, so it cannot be scaled",
            hint="a constant field cannot be learned: leave it out of the model",
        )
    if numbers.transform == "logit" and (numbers.minimum is None or numbers.maximum is None):
        raise Incompatible("REG-441", f"{channel.name} needs a minimum and a maximum for logit")
