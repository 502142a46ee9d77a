"""The lines of plain Python that a card shows, with which anyone can read the weights."""

from __future__ import annotations

from typing import Final

LOADING_LINES: Final = """\
import json
from safetensors import safe_open

with safe_open("model.safetensors", framework="pt") as file:
    blueprint = json.loads(file.metadata()["wxreg"]).get("blueprint", {})
    state = {name: file.get_tensor(name) for name in file.keys()}
print(blueprint.get("architecture"), blueprint.get("settings"), len(state), "tensors")
"""
"""They need torch and safetensors only."""
