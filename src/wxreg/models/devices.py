"""The devices that torch can compute on."""

from __future__ import annotations

import os

import torch


def device_names() -> tuple[str, ...]:
    """Every device with its memory, the CPU first."""
    found = [f"cpu ({os.cpu_count()} cores, torch {torch.__version__})"]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append(f"cuda:{index} ({properties.name}, {properties.total_memory / 2**30:.0f} GiB)")
    if torch.backends.mps.is_available():
        found.append("mps")
    return tuple(found)
