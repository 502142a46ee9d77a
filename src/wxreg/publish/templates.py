"""Templates of cards: plain jinja2 that cannot reach anything, and says no number of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from wxreg.errors import NotFound, UsageError

_NUMBER: Final = re.compile(r"(?<![\w@-])\d+([.,]\d+)*")
"""Digits that are no part of a name such as SHA-256 or @v1."""


def render(template: Path, values: Mapping[str, Any]) -> str:
    """Fill a template of the workspace; a name that has no value is an error, not a blank."""
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["cell"] = _cell
    try:
        text = template.read_text(encoding="utf-8")
        _refuse_numbers(template, environment.lex(text))
        return environment.from_string(text).render(dict(values))
    except FileNotFoundError as error:
        hint = "copy it from the cards/templates folder that comes with wxreg"
        raise NotFound("REG-301", "no such template", where=str(template), hint=hint) from error
    except TemplateError as error:
        raise UsageError("REG-280", f"it does not render: {error}", where=str(template)) from error


def _refuse_numbers(template: Path, tokens: Iterable[tuple[int, str, str]]) -> None:
    """A number in a card comes from a record: the words of a template hold none."""
    for line, kind, text in tokens:
        found = _NUMBER.search(text) if kind == "data" else None
        if found:
            what = f"the template writes the number {found.group()} itself"
            where = f"{template}:{line + text[: found.start()].count(chr(10))}"
            hint = "a number on a card is read from a record; write the sentence without it"
            raise UsageError("REG-280", what, where=where, hint=hint)


def _cell(text: object) -> str:
    """A text inside a table: no line break and no column of its own."""
    return str(text).replace("|", "\\|").replace("\n", " ")
