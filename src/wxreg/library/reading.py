"""Safe YAML: one small dialect, read as hostile until parsed.

Plain JSON values only: no tags, no anchors, no duplicate keys, no dates that are not text;
``true`` and ``false`` are the only booleans, and ``1e-3`` is a number.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from wxreg.errors import NotFound, UsageError

if TYPE_CHECKING:
    import yaml

LARGEST_FILE: Final = 4 * 2**20
"""Bytes; a description that needs more is not a description."""
_DEEPEST: Final = 40


def read_values(path: Path, cache: Path | None = None) -> Any:
    """The plain values of a YAML file; parsed files are kept as JSON under their SHA-256."""
    raw = read_bytes(path)
    kept = cache / f"{sha256(raw).hexdigest()}.json" if cache else None
    if kept is not None and kept.is_file():
        try:
            return json.loads(kept.read_bytes())
        except ValueError:
            kept.unlink(missing_ok=True)  # a torn cache entry is made again
    values = parse(raw, str(path))
    if kept is not None:
        _keep(kept, values)
    return values


def read_bytes(path: Path) -> bytes:
    """The bytes of a description file, refused if it is no file or absurdly large."""
    try:
        if path.is_dir():
            raise UsageError("REG-201", "a folder stands where a file should be", where=str(path))
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise UsageError(
                "REG-201",
                f"the file has {size:,} bytes; a description has at most {LARGEST_FILE:,}",
                where=str(path),
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound("REG-301", "there is no such file", where=str(path)) from error
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(f"while {path} was read") from error
        raise UsageError(
            "REG-201", f"the file cannot be read: {error.strerror}", where=str(path)
        ) from error


def parse(raw: bytes, where: str) -> Any:
    """Plain values from YAML bytes; ``UsageError`` names the line of any fault."""
    import yaml

    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UsageError(
            "REG-201",
            "the file is not UTF-8",
            where=f"{where}:{line}",
            hint="save it again as UTF-8",
        ) from error
    try:
        _refuse_tricks(text, where)
        values = yaml.load(text, Loader=_loader())  # noqa: S506  (a closed CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = getattr(error.problem_mark or error.context_mark, "line", 0)
        raise UsageError(
            "REG-201",
            f"this is not YAML: {error.problem or error.context}",
            where=f"{where}:{line + 1}",
            hint="indent with spaces" if "\t" in text else None,
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError("REG-201", f"this is not YAML: {error}", where=where) from error
    if values is None:
        raise UsageError("REG-201", "the file is empty", where=where)
    return values


def line_of(raw: bytes, path: tuple[str | int, ...]) -> int:
    """The line where the value at ``path`` starts, or the nearest value around it."""
    import yaml

    node = yaml.compose(raw.decode("utf-8-sig"), Loader=yaml.CSafeLoader)
    line = _line(node)
    for part in path:
        found = _child(node, part)
        if found is None:
            break
        line, node = found
    return line


def _child(node: Any, part: str | int) -> tuple[int, Any] | None:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return _line(key), value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return _line(node.value[part]), node.value[part]
    return None


def _refuse_tricks(text: str, where: str) -> None:
    """One pass over the events: no aliases, no tags, no second document, no abyss."""
    import yaml

    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        tag = getattr(event, "tag", None)
        fault = (
            "anchors and aliases are not used here"
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None)
            else f"the tag {tag} is refused: no tag constructs anything here"
            if tag
            else "the file holds more than one document"
            if documents > 1
            else "the values are nested too deeply"
            if depth > _DEEPEST
            else None
        )
        if fault:
            raise UsageError("REG-201", fault, where=f"{where}:{_line(event)}")


def _line(marked: object) -> int:
    """The line of a YAML event or node, from 1."""
    return int(getattr(getattr(marked, "start_mark", None), "line", 0)) + 1


@lru_cache(maxsize=1)
def _loader() -> type[yaml.CSafeLoader]:
    import yaml

    class Loader(yaml.CSafeLoader):
        """A safe loader with JSON's scalars and without duplicate keys."""

        yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                    _fault(f"the key {key.value!r} stands twice", key)
                seen.add(key.value)
            pairs = super().construct_mapping(node, deep=deep)
            return {_key(key): value for key, value in pairs.items()}

    scalars = {
        "null": (r"null|~|", ("n", "~", "")),
        "bool": (r"true|false", ("t", "f")),
        "int": (r"[-+]?(?:0|[1-9][0-9]*)", tuple("-+0123456789")),
        "float": (
            r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?",
            tuple("-+.0123456789"),
        ),
    }
    for name, (pattern, starts) in scalars.items():
        Loader.add_implicit_resolver(
            f"tag:yaml.org,2002:{name}", re.compile(rf"^(?:{pattern})$"), list(starts)
        )
    Loader.add_constructor("tag:yaml.org,2002:float", _float)
    return Loader


def _float(_loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> float:
    value = float(node.value)
    if value in (float("inf"), float("-inf")):
        _fault(f"{node.value} is too large a number", node)
    return value


def _key(key: object) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    return str(key)


def _fault(problem: str, node: yaml.Node) -> NoReturn:
    import yaml

    raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _keep(kept: Path, values: Any) -> None:
    """Write a cache entry; a workspace that cannot be written to is read without a cache."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps(values), encoding="utf-8")
        aside.replace(kept)
    except OSError:
        return


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """``upper`` laid on ``lower``: mappings merge, everything else is replaced."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]
    return merged
