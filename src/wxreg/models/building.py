"""From a blueprint to a forecaster and back, and from tensors to its weights.

The table of architectures is `wxreg.specs.architecture.ARCHITECTURES`: import strings, read
without torch; plug-ins are looked at only when a name is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from wxreg.errors import Incompatible, IntegrityError
from wxreg.models.forecaster import (
    Blueprint,
    Channel,
    ChannelStatistics,
    Forecaster,
    LossTerm,
)
from wxreg.specs.architecture import ARCHITECTURES

_SHOWN = 3


def build(blueprint: Blueprint, seed: int | None = None) -> Forecaster:
    """The forecaster that a blueprint describes; with a seed, always with the same weights."""
    kind = ARCHITECTURES.find(blueprint.architecture).load()
    if seed is None:
        return _checked(kind(blueprint), blueprint)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _checked(kind(blueprint), blueprint)


def _checked(forecaster: object, blueprint: Blueprint) -> Forecaster:
    if not isinstance(forecaster, Forecaster):
        raise Incompatible(
            "REG-442", f"architecture {blueprint.architecture!r} does not make a Forecaster"
        )
    return forecaster


def build_on_meta(blueprint: Blueprint) -> Forecaster:
    """The forecaster without memory for its weights: to count and to trace shapes."""
    with torch.device("meta"):
        return build(blueprint)


def count_parameters(blueprint: Blueprint) -> int:
    """How many numbers training could change or the checkpoint holds as parameters."""
    return sum(parameter.numel() for parameter in build_on_meta(blueprint).parameters())


def describe_checkpoint(forecaster: Forecaster) -> dict[str, Any]:
    """The JSON form of everything a forecaster was built from, for its checkpoint's header."""
    return {
        "blueprint": blueprint_to_json(forecaster.blueprint),
        "semantics": type(forecaster).semantics,
    }


def blueprint_to_json(blueprint: Blueprint) -> dict[str, Any]:
    """Plain JSON values; `blueprint_from_json` is the inverse."""
    plain = {name: getattr(blueprint, name) for name in blueprint.__dataclass_fields__}
    for group in ("inputs", "statics", "targets"):
        plain[group] = [asdict(channel) for channel in plain[group]]
    for group in ("statistics", "input_statistics"):
        plain[group] = {
            name: _plain({**vars(numbers), "tendency_std": dict(numbers.tendency_std)})
            for name, numbers in plain[group].items()
        }
    plain["losses"] = [
        {"name": term.name, "weight": term.weight, "settings": term.settings}
        for term in blueprint.losses
    ]
    result: dict[str, Any] = _plain(plain)
    return result


def blueprint_from_json(plain: Mapping[str, Any]) -> Blueprint:
    """Rebuild the blueprint that a checkpoint carries; a damaged one is refused."""
    try:
        values = dict(plain)
        for group in ("inputs", "statics", "targets"):
            values[group] = tuple(Channel(**channel) for channel in values[group])
        for shape in ("input_shape", "target_shape"):
            values[shape] = (int(values[shape][0]), int(values[shape][1]))
        for group in ("statistics", "input_statistics"):
            values[group] = {
                name: ChannelStatistics(**numbers) for name, numbers in values[group].items()
            }
        values["losses"] = tuple(LossTerm(**term) for term in values["losses"])
        return Blueprint(**values)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise IntegrityError(
            "REG-523",
            f"the description of the network is damaged: {error}",
            hint="fetch the checkpoint again from where it came",
        ) from error


def load_weights(forecaster: Forecaster, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in; the first layer that does not match is named, and nothing is copied."""
    own = forecaster.state_dict()
    for name, mine in own.items():
        if name not in tensors:
            raise _other_network(forecaster, f"layer {name} is missing from the weights")
        if tensors[name].shape != mine.shape:
            given, wanted = tuple(tensors[name].shape), tuple(mine.shape)
            raise _other_network(forecaster, f"layer {name} is {given}, the network has {wanted}")
    unknown = [name for name in tensors if name not in own]
    if unknown:
        shown = ", ".join(unknown[:_SHOWN])
        raise _other_network(forecaster, f"the network has no layer {shown}")
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise IntegrityError(
                "REG-540",
                f"layer {name} holds values that are not finite",
                hint="take an earlier checkpoint of the run",
            )
    forecaster.load_state_dict(dict(tensors))


def _other_network(forecaster: Forecaster, what: str) -> Incompatible:
    return Incompatible(
        "REG-442",
        what,
        where=forecaster.blueprint.architecture,
        hint="the checkpoint's own description says which settings and variables it needs",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
