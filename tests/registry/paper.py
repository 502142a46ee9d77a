"""What a registry entry builds at a scale, on paper: a small grid and plain statistics."""

from __future__ import annotations

from pathlib import Path

from wxreg.leadtime import Duration
from wxreg.library.loading import Library
from wxreg.models.forecaster import Blueprint, ChannelStatistics, LossTerm
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import matched
from wxreg.runs.blueprints import channels_of

LIBRARY = Library(Path(__file__).parents[2])
FINE = 128
FACTORS = {("era5", "conus404"): 8, ("conus404", "conus404"): 4}


def paper_blueprint(name: str, scale: str) -> Blueprint:
    """What an entry builds at a scale, on a small grid with plain statistics."""
    match = matched(LIBRARY, Request(model=name, scale=scale))
    model = match.model
    inputs, targets = (match.channels(hold.side) for hold in match.holds)
    pair = (match.inputs.ref.dataset, match.targets.ref.dataset)
    factor = FACTORS[pair] if model.task == "downscale" else 1
    step = str(model.lead.step if model.lead.step.seconds else Duration(0))
    plain = ChannelStatistics(0.0, 1.0, tendency_std={step: 1.0})
    return Blueprint(
        architecture=model.architecture.name,
        settings=dict(model.architecture.settings),
        inputs=channels_of(inputs),
        statics=channels_of(model.inputs.statics),
        targets=channels_of(targets),
        history=len(model.inputs.history),
        leads=len(model.lead.trained) if model.lead.mode == "joint" else 1,
        step=step,
        input_shape=(FINE // factor, FINE // factor),
        target_shape=(FINE, FINE),
        statistics=dict.fromkeys((*inputs, *targets, *model.inputs.statics), plain),
        losses=tuple(
            LossTerm(term.name, term.weight, dict(term.settings)) for term in model.training.loss
        )
        if model.training.kind == "gradient"
        else (),
    )
