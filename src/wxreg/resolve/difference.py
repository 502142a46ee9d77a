"""The difference of two plans or entries, in a person's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wxreg.canonical import short

_MISSING: Final = object()
_NAMES: Final = {
    "inputs.content": "the input bytes",
    "targets.content": "the target bytes",
    "truth.content": "the bytes of the truth",
    "inputs.dataset": "the input version",
    "targets.dataset": "the target version",
    "inputs.statistics": "the statistics of the inputs",
    "targets.statistics": "the statistics of the targets",
    "training.optimiser.rate": "the learning rate",
    "training.batch": "the global batch",
    "training.epochs": "the number of epochs",
    "training.steps": "the number of optimizer steps",
    "training.precision": "the precision of training",
    "sampling.members": "the number of members",
    "sampling.member_batch": "the members computed at once",
    "seed": "the seed",
    "leads": "the lead times",
    "lead.trained": "the trained lead times",
    "architecture.name": "the architecture",
    "checkpoint": "the checkpoint",
    "protocol": "the protocol",
    "code.commit": "the commit of the code",
    "environment": "the installed packages",
    "threads": "the number of threads",
}


@dataclass(frozen=True)
class Difference:
    """One value that is not the same in both."""

    path: str
    one: Any
    two: Any

    def __str__(self) -> str:
        name = _NAMES.get(self.path, self.path.replace(".", " › "))
        if self.one is _MISSING:
            return f"{name}: only the second has it ({_shown(self.two)})"
        if self.two is _MISSING:
            return f"{name}: only the first has it ({_shown(self.one)})"
        return f"{name}: {_shown(self.one)} in the first, {_shown(self.two)} in the second"

    def as_json(self) -> dict[str, Any]:
        """The difference with null for a side that lacks the value."""
        one, two = (None if v is _MISSING else v for v in (self.one, self.two))
        return {"path": self.path, "first": one, "second": two, "words": str(self)}


def differences(one: Any, two: Any, path: str = "") -> tuple[Difference, ...]:
    """Every leaf at which two JSON-like values differ, in the order of the first."""
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        keys = dict.fromkeys((*one, *two))
        return tuple(
            found
            for key in keys
            for found in differences(
                one.get(key, _MISSING), two.get(key, _MISSING), f"{path}.{key}" if path else key
            )
        )
    if one is not _MISSING and two is not _MISSING and _plain(one) == _plain(two):
        return ()
    return (Difference(path, one, two),)


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return short(value)
    if isinstance(value, list | tuple):
        text = ", ".join(_shown(item) for item in value)
        return text if len(text) <= 100 else f"{text[:97]}..."
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items()) or "nothing"
    return "nothing" if value is None else str(value)
