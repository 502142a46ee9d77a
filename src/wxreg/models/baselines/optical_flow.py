"""Optical flow: the motion between the last two frames carries the last one on.

Motion is found by the method of Proesmans and fields are moved semi-Lagrangian, both of pysteps
(the extra ``[baselines]``); neither needs OpenCV.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wxreg.errors import ExternalError, Incompatible
from wxreg.models.baselines.baseline import Baseline, real_values, repeat_members, target_places
from wxreg.models.baselines.settings import OpticalFlowSettings
from wxreg.models.forecaster import Batch, Blueprint, Noise
from wxreg.models.settings import parse_settings

Frames = NDArray[np.float64]


class OpticalFlow(Baseline):
    """Moves the newest frame with its motion; nothing grows or decays."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        if blueprint.history < 2:
            raise Incompatible(
                "REG-449", "optical flow needs two input frames", where=blueprint.architecture
            )
        self.settings = parse_settings(
            OpticalFlowSettings, blueprint.settings, blueprint.architecture
        )
        self.places = target_places(blueprint)

    def sample(self, batch: Batch, members: int, noise: Noise) -> Tensor:
        """Equal members; where nothing real arrives, the newest frame stays as it was."""
        frames = real_values(
            batch.inputs[:, -2:, self.places], batch.input_mask[:, -2:, self.places]
        )
        moved = [
            [self.carry(pair.double().cpu().numpy()) for pair in sample.unbind(1)]
            for sample in frames
        ]
        forecast = torch.from_numpy(np.stack([np.stack(one, axis=1) for one in moved]))
        return repeat_members(forecast.to(batch.inputs), members)

    def carry(self, pair: Frames) -> Frames:
        """The newest of two frames at each lead ``(L, Y, X)``."""
        with redirect_stdout(io.StringIO()):
            try:
                from pysteps.extrapolation.semilagrangian import extrapolate
                from pysteps.motion.proesmans import proesmans
            except ImportError as error:
                raise ExternalError(
                    "REG-740",
                    "optical flow needs pysteps, which is not installed",
                    hint="pip install 'wxreg[baselines]'",
                ) from error
            motion = proesmans(
                np.nan_to_num(pair),
                lam=self.settings.smoothness,
                num_iter=self.settings.iterations,
                num_levels=self.settings.levels,
                verbose=False,
            )
        moved = extrapolate(
            pair[-1], motion, self.blueprint.leads, outval=np.nan, allow_nonfinite_values=True
        )
        gone = np.isnan(moved)
        moved[gone] = np.broadcast_to(pair[-1], moved.shape)[gone]
        return np.asarray(moved)
