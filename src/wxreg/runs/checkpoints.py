"""Forecasters to checkpoint files and back: one file that is sufficient alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wxreg.artifacts.checkpoint_file import Checkpoint, RawTensor, read_checkpoint, write_checkpoint
from wxreg.artifacts.digests import file_digest
from wxreg.errors import IntegrityError
from wxreg.models.building import (
    blueprint_from_json,
    build,
    describe_checkpoint,
    load_weights,
)
from wxreg.models.forecaster import Forecaster
from wxreg.specs.plan import TrainPlan

_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_TYPES = {name: dtype for dtype, name in _NAMES.items()}


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A forecaster with its weights, and what its file says of itself."""

    forecaster: Forecaster
    metadata: Mapping[str, Any]
    sha256: str


def raw_tensors(state: Mapping[str, Tensor]) -> dict[str, RawTensor]:
    """Tensors as the bytes that a file holds, little-endian and contiguous."""
    found = {}
    for name, tensor in state.items():
        plain = tensor.detach().to("cpu").contiguous()
        data = plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""
        found[name] = RawTensor(_NAMES[plain.dtype], tuple(plain.shape), data)
    return found


def torch_tensors(raw: Mapping[str, RawTensor]) -> dict[str, Tensor]:
    """The tensors of a file, as copies that may be changed."""
    return {
        name: torch.frombuffer(bytearray(tensor.data), dtype=_TYPES[tensor.dtype]).reshape(
            tensor.shape
        )
        if len(tensor.data)
        else torch.empty(tensor.shape, dtype=_TYPES[tensor.dtype])
        for name, tensor in raw.items()
    }


def save_checkpoint(
    path: Path,
    forecaster: Forecaster,
    state: Mapping[str, Tensor],
    plan: TrainPlan,
    words: Mapping[str, Any],
) -> str:
    """Write the one file; no run, host or time is inside, so equal weights give equal files."""
    metadata = {
        **describe_checkpoint(forecaster),
        "plan": _without_place(plan.model_dump(mode="json", exclude_defaults=True)),
        "plan_digest": plan.digest(),
        "statistics": {
            side: getattr(plan, side).statistics
            for side in ("inputs", "targets")
            if getattr(plan, side).statistics
        },
        **words,
    }
    write_checkpoint(path, raw_tensors(state), metadata)
    return file_digest(path)


def _without_place(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan without the path of its initial weights, which names a run of this workspace."""
    plan.get("training", {}).get("initial", {}).pop("path", None)
    return plan


def open_checkpoint(
    path: Path, sampler: Mapping[str, Any] | None = None, expected: str | None = None
) -> LoadedCheckpoint:
    """Build the forecaster that a file describes and give it the file's weights."""
    sha256 = file_digest(path)
    if expected is not None and sha256 != expected:
        raise IntegrityError(
            "REG-500",
            f"the checkpoint has the digest {sha256[:12]}, not {expected[:12]}",
            where=str(path),
            hint="fetch it again, or train again: these are other bytes",
        )
    file = read_checkpoint(path)
    forecaster = _built(path, file, sampler)
    load_weights(forecaster, torch_tensors(file.tensors))
    forecaster.eval()
    return LoadedCheckpoint(forecaster, file.metadata, sha256)


def _built(path: Path, file: Checkpoint, sampler: Mapping[str, Any] | None) -> Forecaster:
    described = file.metadata.get("blueprint")
    if not isinstance(described, Mapping):
        raise IntegrityError(
            "REG-560", "the file does not say which network it belongs to", where=str(path)
        )
    blueprint = blueprint_from_json(described)
    if sampler is not None:
        blueprint = replace(blueprint, sampler=dict(sampler))
    return build(blueprint, seed=0)
