"""A person's words about a model: what no run can know."""

from typing import ClassVar

from wxreg.ids import EntryId
from wxreg.specs.base import Entry, Spec


class Correction(Spec):
    """A mistake of the source document, and what was built in its place."""

    claim: str
    built: str


class Contact(Spec):
    """Whom to ask."""

    name: str
    address: str | None = None


class Card(Entry):
    """``cards/<model>.yaml``."""

    KIND: ClassVar[str] = "card"

    model: EntryId
    base: EntryId | None = None
    """The model whose card this one continues: what is not said here is said there."""
    intended: str
    """What the model is for, and for whom."""
    unsuited: str
    """What it must not be used for."""
    limits: tuple[str, ...]
    ethics: str
    corrections: tuple[Correction, ...] = ()
    tags: tuple[str, ...] = ()
    contacts: tuple[Contact, ...] = ()
    acknowledgements: str | None = None
