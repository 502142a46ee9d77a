"""Templates of cards: plain jinja2 that cannot reach anything and refuses a missing value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wxreg.errors import NotFound, UsageError


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
        return environment.from_string(text).render(dict(values))
    except FileNotFoundError as error:
        hint = "copy it from the cards/templates folder that comes with wxreg"
        raise NotFound("REG-301", "no such template", where=str(template), hint=hint) from error
    except TemplateError as error:
        raise UsageError("REG-280", f"it does not render: {error}", where=str(template)) from error


def _cell(text: object) -> str:
    """A text inside a table: no line break and no column of its own."""
    return str(text).replace("|", "\\|").replace("\n", " ")
