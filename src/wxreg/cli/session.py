"""What every command shares: the workspace, and one way to print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wxreg.library.loading import Library


@dataclass(frozen=True)
class Session:
    """One call of ``reg``."""

    named: Path | None = None
    json: bool = False
    quiet: bool = False

    @cached_property
    def root(self) -> Path:
        """The workspace."""
        from wxreg.library.workspace import find_workspace

        return find_workspace(self.named)

    @cached_property
    def library(self) -> Library:
        """Its catalog and registry."""
        from wxreg.library.loading import Library

        return Library(self.root)

    @property
    def rich(self) -> bool:
        """Whether a person looks at a terminal that shows colours."""
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def document(self, value: Mapping[str, Any]) -> None:
        """The one JSON document of a command."""
        print(json.dumps(value, indent=2, ensure_ascii=False, default=str))  # noqa: T201

    def line(self, text: str = "") -> None:
        """A line of the result."""
        if not self.json:
            print(text)  # noqa: T201

    def note(self, text: str) -> None:
        """A remark beside the result: to stderr, and not when quiet."""
        if not self.quiet and not self.json:
            print(text, file=sys.stderr)  # noqa: T201

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = ""
    ) -> None:
        """Rows as a rich table on a terminal, as aligned plain text in a pipe."""
        if self.json:
            return
        texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
        if self.rich:
            _rich_table(columns, texts, title)
        else:
            _plain_table(columns, texts)


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())  # noqa: T201


def _rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=title or None, header_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
