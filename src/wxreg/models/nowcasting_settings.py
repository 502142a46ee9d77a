"""The settings of the systems that read radar and satellite frames."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wxreg.models.settings import Positive
from wxreg.specs.base import Spec


class NowcastNetSettings(Spec):
    """Five 3-D convolutions and a learned combination of the steps."""

    base: Positive = 32
    """Channels of the first convolution; the widest has four times as many."""
    dilations: tuple[Positive, Positive, Positive, Positive, Positive] = (1, 1, 1, 1, 1)
    """Spacing of each convolution's cells in y and x: how far storms may come from."""


class ConvLSTMSettings(Spec):
    """An encoder that reads the frames and a forecaster that unrolls them."""

    hidden: Positive = 64
    layers: Annotated[int, Field(ge=1, le=4)] = 2
    kernel: Literal[3, 5, 7] = 3
    stride: Annotated[int, Field(ge=1, le=8)] = 2
    """How many cells the recurrent grid merges along each side."""


class RadarUNetSettings(Spec):
    """A U-Net from satellite to radar."""

    base: Positive = 32
    levels: Annotated[int, Field(ge=1, le=6)] = 4
