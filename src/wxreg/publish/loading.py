"""The lines of plain Python that a card shows, with which anyone can load the weights."""

from __future__ import annotations

from typing import Final

from wxreg.specs.plan import TrainPlan

_AURORA: Final = """\
import json
from datetime import timedelta
from aurora import Aurora
from safetensors.torch import load_file

config = json.load(open("config.json"))["network"]
network = Aurora(**config, timestep=timedelta(hours=1))
state = load_file("model.safetensors")
network.load_state_dict({name.removeprefix("network."): value for name, value in state.items()})
"""
_PLAIN: Final = """\
import json
from safetensors import safe_open

with safe_open("model.safetensors", framework="pt") as file:
    blueprint = json.loads(file.metadata()["wxreg"])["blueprint"]
    state = {name: file.get_tensor(name) for name in file.keys()}
print(blueprint["architecture"], blueprint["settings"], len(state), "tensors")
"""
LIBRARY_ARCHITECTURES: Final = frozenset({"aurora"})
"""Architectures that another library can build from ``config.json`` alone."""


def loading_lines(plan: TrainPlan) -> str:
    """Ten lines or fewer; they need no wxreg."""
    return _AURORA if plan.architecture.name in LIBRARY_ARCHITECTURES else _PLAIN
