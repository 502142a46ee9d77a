"""Shell completion of the names that a workspace holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wxreg.errors import RegError

if TYPE_CHECKING:
    from wxreg.library.loading import Library


def _library() -> Library | None:
    from wxreg.library.loading import Library
    from wxreg.library.workspace import find_workspace

    try:
        return Library(find_workspace())
    except RegError:  # outside a workspace there is nothing to complete
        return None


def _ids(kind: str, start: str) -> list[str]:
    library = _library()
    return [name for name in library.ids(kind) if name.startswith(start)] if library else []


def complete_models(incomplete: str) -> list[str]:
    """Model ids."""
    return _ids("model", incomplete)


def complete_cards(incomplete: str) -> list[str]:
    """Models and datasets."""
    return [*_ids("model", incomplete), *_ids("dataset", incomplete)]


def complete_cases(incomplete: str) -> list[str]:
    """Case selections."""
    return _ids("case", incomplete)


def complete_data(incomplete: str) -> list[str]:
    """Datasets, and after an ``@`` their versions."""
    library = _library()
    if library is None:
        return []
    dataset, at, version = incomplete.partition("@")
    if not at:
        return _ids("dataset", incomplete)
    if dataset not in library.ids("dataset"):
        return []
    return [f"{dataset}@{v}" for v in library.versions(dataset) if v.startswith(version)]


def complete_scales(incomplete: str) -> list[str]:
    """The scales that entries declare."""
    return [scale for scale in ("mini", "full") if scale.startswith(incomplete)]
