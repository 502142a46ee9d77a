"""`convlstm`: recurrent convolutions read the frames, then unroll the leads one by one."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from wxreg.models.change_forecaster import ChangeForecaster
from wxreg.models.convolution_blocks import pad_to_multiple, silent
from wxreg.models.forecaster import Batch, Blueprint
from wxreg.models.nowcasting_settings import ConvLSTMSettings
from wxreg.models.settings import parse_settings

State = tuple[Tensor, Tensor]


class ConvLSTMCell(nn.Module):
    """A long short-term memory whose gates are convolutions."""

    def __init__(self, inputs: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(inputs + hidden, 4 * hidden, kernel, padding=kernel // 2)
        with torch.no_grad():
            bias = self.gates.bias
            assert bias is not None
            bias[hidden : 2 * hidden] = 1.0

    def start(self, like: Tensor) -> State:
        """An empty memory on the grid of ``like``."""
        empty = like.new_zeros(len(like), self.hidden, *like.shape[-2:])
        return empty, empty

    def forward(self, fields: Tensor, state: State) -> State:
        """Read one step: the new output and the new memory."""
        output, memory = state
        gates = self.gates(torch.cat([fields, output], dim=1))
        write, keep, show, fresh = gates.chunk(4, dim=1)
        memory = keep.sigmoid() * memory + write.sigmoid() * fresh.tanh()
        return show.sigmoid() * memory.tanh(), memory


class ConvLSTMNetwork(nn.Module):
    """An encoder stack and a forecaster stack that starts from the encoder's memory."""

    def __init__(self, channels: int, targets: int, leads: int, settings: ConvLSTMSettings) -> None:
        super().__init__()
        hidden, stride = settings.hidden, settings.stride
        self.stride, self.leads = stride, leads
        self.embed = nn.Conv2d(channels, hidden, stride + 2, stride=stride, padding=1)
        self.readers = nn.ModuleList(
            ConvLSTMCell(hidden, hidden, settings.kernel) for _ in range(settings.layers)
        )
        self.writers = nn.ModuleList(
            ConvLSTMCell(hidden, hidden, settings.kernel) for _ in range(settings.layers)
        )
        self.head = silent(nn.Conv2d(hidden, targets * stride**2, 3, padding=1))
        self.lift = nn.PixelShuffle(stride)

    def forward(self, frames: Tensor) -> Tensor:
        """``(B, H, C, Y, X)`` to ``(B, L, D, Y, X)``, each lead continuing the one before."""
        padded, crop = pad_to_multiple(frames.flatten(0, 1), self.stride)
        embedded = self.embed(padded).unflatten(0, frames.shape[:2])
        states = [reader.start(embedded[:, 0]) for reader in self.readers]  # type: ignore[operator]
        for step in range(frames.shape[1]):
            _advance(self.readers, embedded[:, step], states)
        shown = embedded[:, -1]
        change = frames.new_zeros(())
        leads: list[Tensor] = []
        for _ in range(self.leads):
            shown = _advance(self.writers, shown, states)
            change = change + crop(self.lift(self.head(shown)))
            leads.append(change)
        return torch.stack(leads, dim=1)


def _advance(cells: nn.ModuleList, fields: Tensor, states: list[State]) -> Tensor:
    """Move every cell one step, each reading the one below; the states are replaced in place."""
    for place, cell in enumerate(cells):
        states[place] = cell(fields, states[place])
        fields = states[place][0]
    return fields


class ConvLSTM(ChangeForecaster):
    """The recurrent baseline of nowcasting."""

    semantics: ClassVar[int] = 1

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        settings = parse_settings(ConvLSTMSettings, blueprint.settings, blueprint.architecture)
        self.network = ConvLSTMNetwork(
            len(blueprint.inputs), len(blueprint.targets), blueprint.leads, settings
        )

    def changes(self, batch: Batch, history: Tensor) -> Tensor:
        """The scaled changes of all leads."""
        return torch.as_tensor(self.network(history))
