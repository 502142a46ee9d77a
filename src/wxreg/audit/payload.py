"""The fields of a file, and how they agree with what is known of a forecast."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from wxreg.artifacts.digests import merkle_root, prefix64
from wxreg.audit.answer import Difference
from wxreg.audit.places import Labels, Place
from wxreg.data.forecast_files import CLAIM
from wxreg.data.forecast_index import FieldEntry
from wxreg.data.payload_index import FieldPrint, field_prints, open_any, prints_of


@dataclass(frozen=True)
class Payload:
    """The fields of one file, hashed once, and what the file says of itself."""

    path: Path
    prints: tuple[FieldPrint, ...]
    labels: Labels
    about: Mapping[str, Any]
    """``claim``, ``merkle`` and ``outline`` as the file gives them; empty where it is silent."""

    @property
    def claim(self) -> Mapping[str, Any]:
        """What the file says made it."""
        claim = self.about.get("claim")
        return claim if isinstance(claim, dict) else {}

    @cached_property
    def turned(self) -> Mapping[tuple[Any, ...], str]:
        """The digests with the rows turned over; reads the file a second time."""
        found = field_prints(self.path, flipped=True)
        return {(one.variable, one.index): one.digest for one in found if one.digest}

    @property
    def prefixes(self) -> tuple[int, ...]:
        """The 64-bit prefixes of the fields that can prove something."""
        return tuple(prefix64(one.digest) for one in self.prints if one.digest and not one.constant)

    @property
    def turned_prefixes(self) -> tuple[int, ...]:
        """The same with the rows turned over."""
        telling = {(one.variable, one.index) for one in self.prints if not one.constant}
        return tuple(prefix64(found) for key, found in self.turned.items() if key in telling)


def read_payload(path: Path) -> Payload:
    """Read and hash every field of a Zarr store or NetCDF file."""
    with open_any(path) as opened:
        labels = Labels.of(opened)
        about = _about(opened.attrs.get(CLAIM))
        prints = tuple(one for one in prints_of(opened) if one.variable not in labels.grid)
    return Payload(path, prints, labels, about)


def _about(found: object) -> Mapping[str, Any]:
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Reference:
    """What is known of the fields of one forecast."""

    root: str
    """The Merkle root of all its field digests."""
    held: frozenset[int]
    """The 64-bit prefixes of the looked-for fields that it holds."""
    entries: tuple[FieldEntry, ...] | None = None
    """Its full payload index, where that can be reached."""
    variables: frozenset[str] = frozenset()
    """Its variables, as far as they are known."""

    @cached_property
    def places(self) -> Mapping[str, tuple[FieldEntry, ...]]:
        """The fields by digest."""
        found: dict[str, tuple[FieldEntry, ...]] = {}
        for entry in self.entries or ():
            found[entry.digest] = (*found.get(entry.digest, ()), entry)
        return found

    def holds(self, digest: str | None) -> bool:
        """Whether the forecast has a field of that digest."""
        if digest is None:
            return False
        return digest in self.places if self.entries is not None else prefix64(digest) in self.held


@dataclass(frozen=True)
class Comparison:
    """How a file agrees with one forecast."""

    read: int
    matched: int
    whole: bool
    """Whether the file has exactly the fields of the forecast: the Merkle roots are equal."""
    turned: bool
    """Whether fields were found with their rows turned over."""
    foreign: tuple[str, ...]
    """Arrays that the forecast does not have."""
    differences: tuple[Difference, ...] = ()
    unmatched: tuple[FieldPrint, ...] = field(default=(), repr=False)


def compare(payload: Payload, reference: Reference) -> Comparison:
    """Look for each field of the file in the forecast."""
    straight = {one: one.digest for one in payload.prints if reference.holds(one.digest)}
    missing = [one for one in payload.prints if one not in straight]
    turned = _turned(payload, reference, missing) if missing else {}
    found = straight | turned
    foreign = _foreign(payload, reference, found)
    fields = [one for one in payload.prints if one.variable not in foreign]
    unmatched = tuple(one for one in fields if one not in found)
    root = merkle_root(digest for one in fields if (digest := found.get(one)))
    differences = (
        *(_changed(payload.labels.place(one), one) for one in unmatched),
        *_misplaced(payload, reference, {one: found[one] for one in fields if one in found}),
    )
    whole = not unmatched and root == reference.root
    return Comparison(len(fields), len(found), whole, bool(turned), foreign, differences, unmatched)


def _turned(
    payload: Payload, reference: Reference, missing: Iterable[FieldPrint]
) -> dict[FieldPrint, str | None]:
    digests = {one: payload.turned.get((one.variable, one.index)) for one in missing}
    return {one: digest for one, digest in digests.items() if reference.holds(digest)}


def _foreign(
    payload: Payload, reference: Reference, found: Mapping[FieldPrint, Any]
) -> tuple[str, ...]:
    """Arrays of which no field is in the forecast and whose name it does not know."""
    ours = {one.variable for one in found} | reference.variables
    return tuple(sorted({one.variable for one in payload.prints} - ours))


def _changed(place: Place, one: FieldPrint) -> Difference:
    what = "the values are not those that were sealed"
    if one.fault:
        what = f"the stored chunk is damaged and cannot be decoded: {one.fault}"
    elif one.constant:
        what = "the field is constant or missing, and no such field was sealed"
    where = ", ".join(f"{name}[{number}]" for name, number in one.index)
    return Difference(
        "field",
        what,
        where or None,
        one.variable,
        place.init,
        place.lead,
        place.member,
        place.level,
    )


def _misplaced(
    payload: Payload, reference: Reference, found: Mapping[FieldPrint, str | None]
) -> Iterator[Difference]:
    """Sealed fields that stand where another one belongs, or under coordinates that are wrong."""
    for one, digest in found.items():
        entries = reference.places.get(digest or "", ())
        place = payload.labels.place(one)
        if entries and not any(_fits(place, entry, reference) for entry in entries):
            entry = entries[0]
            what = (
                f"this is the field of {entry.variable}, init {entry.init}, lead {entry.lead} s, "
                f"member {entry.member}"
            )
            yield Difference(
                "place", what, None, one.variable, place.init, place.lead, place.member, place.level
            )


def _fits(place: Place, entry: FieldEntry, reference: Reference) -> bool:
    """Whether a place agrees with an index entry, wherever the file says anything."""
    if place.variable != entry.variable and place.variable in reference.variables:
        return False
    told = (place.init, place.lead, place.member, place.level, place.segment)
    known = (entry.init, entry.lead, entry.member, entry.level, entry.segment)
    return all(mine is None or mine == theirs for mine, theirs in zip(told, known, strict=True))
