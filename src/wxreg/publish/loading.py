"""The lines of plain Python that a card shows, with which anyone can load the weights.

``REPOSITORY`` stands for ORG/NAME until the card is published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

REPOSITORY: Final = "REPOSITORY"

_ANY: Final = """\
import json
from huggingface_hub import hf_hub_download
from safetensors import safe_open

with safe_open(hf_hub_download("REPOSITORY", "model.safetensors"), framework="pt") as file:
    blueprint = json.loads(file.metadata()["wxreg"]).get("blueprint", {})
    state = {name: file.get_tensor(name) for name in file.keys()}
print(blueprint.get("architecture"), blueprint.get("settings"), len(state), "tensors")
"""

_AURORA: Final = """\
import json
from aurora import Aurora
from huggingface_hub import hf_hub_download
from safetensors.torch import load_file

config = json.load(open(hf_hub_download("REPOSITORY", "config.json")))
weights = load_file(hf_hub_download("REPOSITORY", "model.safetensors"))
given = config["network"]["arguments"].items()
model = Aurora(**{key: tuple(one) if isinstance(one, list) else one for key, one in given})
model.load_state_dict({key.removeprefix("network."): weights[key] for key in weights})
"""

_LINES: Final = {"aurora.Aurora": _AURORA}


def loading_lines(network: Mapping[str, Any] | None, repository: str = REPOSITORY) -> str:
    """Lines that build the library's own network, or that read the tensors where it is ours."""
    lines = _LINES[network["class"]] if network else _ANY
    return lines.replace(REPOSITORY, repository)
