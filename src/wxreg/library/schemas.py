"""JSON Schemas of every kind of file, so that editors complete and validate."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import PydanticJsonSchemaWarning

from wxreg.ids import not_found
from wxreg.specs.base import Spec
from wxreg.specs.card import Card
from wxreg.specs.dataset import Description, Source, VariableTable, Version
from wxreg.specs.experiment import Experiment
from wxreg.specs.model import Model
from wxreg.specs.plan import EvaluatePlan, SamplePlan, TrainPlan
from wxreg.specs.protocol import Cases, Protocol
from wxreg.specs.statistics import Statistics
from wxreg.specs.variables import Lexicon

FOLDER: Final = Path(__file__).parents[1] / "schemas"
_SOURCES: Final = Path(__file__).parents[1] / "specs"
_SPECS: Final[Mapping[str, type[Spec]]] = {
    "card": Card,
    "cases": Cases,
    "experiment": Experiment,
    "lexicon": Lexicon,
    "protocol": Protocol,
    "statistics": Statistics,
    "variables": VariableTable,
    "version": Version,
    "plan-train": TrainPlan,
    "plan-sample": SamplePlan,
    "plan-evaluate": EvaluatePlan,
}
KINDS: Final = tuple(sorted([*_SPECS, "catalog", "dataset", "model"]))


def schema(kind: str) -> dict[str, Any]:
    """The schema of one kind of file."""
    if kind not in KINDS:
        raise not_found("schema", kind, KINDS)
    if kind == "catalog":
        return _catalog()
    if kind == "dataset":
        return _titled(Description, kind)
    if kind == "model":
        made = _titled(Model, kind)
        made["required"] = ["id"]  # a base or a scale may say the rest
        return made
    return _titled(_SPECS[kind], kind)


def _of(spec: type[Spec]) -> dict[str, Any]:
    """The schema of a spec; its empty frozen mappings have no JSON default, which is no fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
        made = spec.model_json_schema()
    for name, part in ((spec.__name__, made), *made.get("$defs", {}).items()):
        for field, words in _field_words().get(name, {}).items():
            part.get("properties", {}).get(field, {}).setdefault("description", words)
    return made


@cache
def _field_words() -> Mapping[str, Mapping[str, str]]:
    """The docstring under each field of each spec class, by class name, with its bases'."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(_SOURCES.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                inherited = [found.get(getattr(base, "id", ""), {}) for base in node.bases]
                own = dict(_documented(node.body))
                found[node.name] = {k: v for words in (*inherited, own) for k, v in words.items()}
    return found


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, after in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            value = after.value if isinstance(after, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield field.target.id, " ".join(value.value.split())


def _titled(spec: type[Spec], kind: str) -> dict[str, Any]:
    made = _of(spec)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": kind}


def _catalog() -> dict[str, Any]:
    """An Intake catalog whose ``metadata.reg`` is our description of the dataset."""
    description, source = _of(Description), _of(Source)
    definitions = {**source.pop("$defs", {}), **description.pop("$defs", {})}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "catalog",
        "type": "object",
        "required": ["metadata", "sources"],
        "properties": {
            "metadata": {
                "type": "object",
                "required": ["reg"],
                "properties": {"reg": description},
            },
            "sources": {"type": "object", "additionalProperties": source},
        },
        "$defs": definitions,
    }


def write_all(folder: Path = FOLDER) -> Iterator[Path]:
    """Write every schema; a test holds the checked-in ones equal to these."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        path = folder / f"{kind}.json"
        path.write_text(text(kind), encoding="utf-8")
        yield path


def text(kind: str) -> str:
    """The schema as it is checked in."""
    return json.dumps(schema(kind), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
