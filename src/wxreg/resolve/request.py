"""What is asked for: a model, a dataset, a lead time, and what is to differ from the entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from wxreg.errors import UsageError
from wxreg.ids import DataRef, near_names
from wxreg.leadtime import Duration
from wxreg.library.reading import parse

PlanKind = Literal["train", "sample", "evaluate"]
SplitChoice = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Request:
    """One question to the resolver."""

    model: str
    data: DataRef | None = None
    leads: tuple[Duration, ...] = ()
    task: PlanKind = "train"
    scale: str = "mini"
    members: int | None = None
    seed: int = 0
    overrides: tuple[tuple[str, str], ...] = ()
    split: SplitChoice | None = None
    times: tuple[str, ...] = ()
    cases: str | None = None
    limit: int | None = None
    protocol: str | None = None
    baselines: tuple[str, ...] = ()
    checkpoint: str | None = None
    """The SHA-256 of a checkpoint that exists already."""
    rule: str | None = None
    """``best``, ``last`` or ``epoch=7``; the checkpoint that the entry selects if none is named."""


_INSTEAD_OF: Final = {"training.steps": "epochs", "training.epochs": "steps"}
"""A length that is set takes the place of the other one that the entry declares."""


def parse_overrides(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """``key=value`` words as pairs."""
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(
                "REG-200", f"{text!r} sets nothing", hint="write --set training.batch=16"
            )
        pairs.append((key.strip(), value.strip()))
    return tuple(pairs)


def override_values(
    overrides: tuple[tuple[str, str], ...], expanded: dict[str, Any]
) -> dict[str, Any]:
    """The overrides as a nested mapping; each path must exist in the expanded entry."""
    nested: dict[str, Any] = {}
    for key, text in overrides:
        known = _existing(key, expanded)
        here = nested
        *folders, last = key.split(".")
        for folder in folders:
            here = here.setdefault(folder, {})
        here[last] = _value(key, text, known)
        other = _INSTEAD_OF.get(key)
        if other is not None and here[last] is not None:
            here.setdefault(other, None)
    return nested


def _value(key: str, text: str, known: Any) -> Any:
    """What a word means: YAML, but digits stay text where the setting is text (``16``)."""
    if text in ("null", "~"):
        return None
    value = parse(text.encode(), f"--set {key}") if text else ""
    return text if isinstance(known, str) and isinstance(value, int | float) else value


def _existing(key: str, expanded: dict[str, Any]) -> Any:
    """The value that an override takes the place of; a path that is not there is refused."""
    here: Any = expanded
    for part in key.split("."):
        if not isinstance(here, dict) or part not in here:
            near = near_names(key, leaf_paths(expanded))
            hint = f"did you mean {' or '.join(near)}?" if near else "`reg show` lists the settings"
            raise UsageError("REG-200", f"there is no setting {key!r}", where="--set", hint=hint)
        here = here[part]
    return here


def leaf_paths(values: Any, prefix: str = "") -> tuple[str, ...]:
    """The dotted paths of every value that is not a mapping."""
    if not isinstance(values, dict):
        return (prefix,)
    return tuple(
        path
        for key, value in values.items()
        for path in leaf_paths(value, f"{prefix}.{key}" if prefix else key)
    )
