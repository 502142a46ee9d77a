"""Terms of use: of a dataset's bytes, or of a model's weights."""

from wxreg.specs.base import Spec


class Licence(Spec):
    """Under what terms the data or weights may be used."""

    id: str
    """An SPDX id, or ``LicenseRef-…`` for a named licence."""
    name: str
    commercial: bool
    """Whether commercial use is allowed."""
    attribution: str | None = None
    """The words that must be shown."""
    url: str | None = None
