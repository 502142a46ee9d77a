"""The library: every entry of a workspace, read when asked for and only then.

An id is a path, so looking one up never walks the folder; listing does.  A spec is imported by the
method that parses it: building its classes costs more than reading its file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic import ValidationError

from wxreg.errors import Incompatible, UsageError
from wxreg.ids import DataRef, check_name, not_found
from wxreg.library.faults import FileFaults, differing_id, findings_of
from wxreg.library.parts import overlays, own_values, part_of, refuse_newer
from wxreg.library.reading import merge, read_bytes, read_values
from wxreg.specs.base import Entry

if TYPE_CHECKING:
    from wxreg.specs.card import Card
    from wxreg.specs.dataset import Description, Source, Version
    from wxreg.specs.model import Model
    from wxreg.specs.statistics import Statistics
    from wxreg.specs.variables import Variable, VariableEntry

EntryT = TypeVar("EntryT", bound=Entry)

FOLDERS: Final = {
    "dataset": "catalog",
    "model": "registry/models",
    "protocol": "registry/protocols",
    "case": "registry/cases",
    "experiment": "registry/experiments",
    "card": "cards",
}
"""Where each kind of entry lies; the file name is the id."""
_NOT_DATASETS: Final = frozenset({"lexicon"})


@dataclass(frozen=True)
class Layer:
    """One source of values: a file, the part of it that is laid on, and where in the file."""

    path: Path
    inside: tuple[str, ...]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Library:
    """The catalog and registry of one workspace."""

    root: Path
    _read: dict[Path, Any] = field(default_factory=dict, repr=False, compare=False)
    _parsed: dict[tuple[Path, type], Entry] = field(default_factory=dict, repr=False, compare=False)

    @property
    def cache(self) -> Path:
        """Where parsed files are kept."""
        return self.root / ".reg" / "cache"

    def ids(self, kind: str) -> tuple[str, ...]:
        """The ids of one kind, sorted."""
        folder = self.root / FOLDERS[kind]
        if not folder.is_dir():
            return ()
        with os.scandir(folder) as entries:
            stems = (e.name[:-5] for e in entries if e.name.endswith(".yaml"))
            return tuple(sorted(stem for stem in stems if stem not in _NOT_DATASETS))

    def path(self, kind: str, name: str) -> Path:
        """The file of an entry; ``NotFound`` lists the near names."""
        file = self.root / FOLDERS[kind] / f"{check_name(name, kind)}.yaml"
        if not file.exists() or name in _NOT_DATASETS:
            raise not_found(kind, name, self.ids(kind))
        return file

    def values(self, file: Path) -> Any:
        """The plain values of a file of this workspace, read once."""
        if file not in self._read:
            self._read[file] = read_values(file, self.cache)
        return self._read[file]

    def entry(self, kind: str, name: str, spec: type[EntryT]) -> EntryT:
        """One entry of the registry."""
        return self.whole(self.path(kind, name), spec, id=name)

    def whole(
        self, file: Path, spec: type[EntryT], *, id: str | None = None, inside: tuple[str, ...] = ()
    ) -> EntryT:
        """A file, or the part of it under ``inside``, as a spec; parsed once."""
        if (file, spec) not in self._parsed:
            values = part_of(self.values(file), inside, file)
            self._parsed[file, spec] = self.parse(file, values, spec, id=id, inside=inside)
        return cast(EntryT, self._parsed[file, spec])

    def parse(
        self,
        file: Path,
        values: Any,
        spec: type[EntryT],
        *,
        id: str | None = None,
        inside: tuple[str, ...] = (),
    ) -> EntryT:
        """Validate plain values as a spec; faults name the file and line."""
        if isinstance(values, Mapping):
            refuse_newer(file, values, spec)
        if id is not None and (fault := differing_id(file, id, values)):
            raise fault
        try:
            return spec.from_json(json.dumps(values))
        except ValidationError as error:
            raise FileFaults(
                findings_of(error, spec, file, read_bytes(file) if file.exists() else b"", inside)
            ) from error

    def files_read(self) -> tuple[Path, ...]:
        """Every file that answers so far were read from."""
        return tuple(self._read)

    def lexicon(self) -> Mapping[str, Variable]:
        """The canonical variables by name."""
        from wxreg.specs.variables import Lexicon

        file = self.root / "catalog" / "lexicon.yaml"
        if file not in self._read or not isinstance(self._read[file], dict):
            self._read[file] = self.parse(file, read_values(file, self.cache), Lexicon).by_id()
        found: Mapping[str, Variable] = self._read[file]
        return found

    def description(self, dataset: str) -> Description:
        """What a catalog says about its dataset."""
        from wxreg.specs.dataset import Description

        file = self.path("dataset", dataset)
        return self.whole(file, Description, id=dataset, inside=("metadata", "reg"))

    def sources(self, dataset: str) -> Mapping[str, Source]:
        """The Intake sources of a dataset by name."""
        from wxreg.specs.dataset import Source

        file = self.path("dataset", dataset)
        parts = part_of(self.values(file), ("sources",), file)
        found = {}
        for name, values in parts.items():
            try:
                found[name] = Source.model_validate_json(json.dumps(values))
            except ValidationError as error:
                faults = findings_of(error, Source, file, read_bytes(file), ("sources", name))
                raise FileFaults(faults) from error
        return found

    def entries(self, dataset: str) -> tuple[VariableEntry, ...]:
        """The variable table of a dataset; an id stands twice where its selector changed."""
        from wxreg.specs.dataset import VariableTable

        table = self.description(dataset).variables
        file = self.root / "catalog" / dataset / "variables.yaml"
        if not table and file.exists():
            table = self.whole(file, VariableTable).variables
        return table

    def variables(self, dataset: str) -> Mapping[str, VariableEntry]:
        """The variable table of a dataset by canonical name, in its newest form."""
        return {entry.id: entry for entry in self.entries(dataset)}

    def versions(self, dataset: str) -> tuple[str, ...]:
        """The names of a dataset's versions, sorted."""
        self.path("dataset", dataset)
        folder = self.root / "catalog" / dataset / "versions"
        return tuple(sorted(file.stem for file in folder.glob("*.yaml")))

    def version(self, ref: DataRef) -> Version:
        """One immutable version."""
        from wxreg.specs.dataset import Version

        known = self.versions(ref.dataset)
        name = check_name(ref.version or "", "version")
        if name not in known:
            near = not_found("version", name, known)
            hint = f"{ref.dataset} has {', '.join(known) or 'no version yet'}"
            raise type(near)(near.code, f"there is no version {ref}", hint=hint)
        file = self.root / "catalog" / ref.dataset / "versions" / f"{name}.yaml"
        return self.whole(file, Version, id=str(ref))

    def statistics_path(self, ref: DataRef, name: str) -> Path:
        """Where the statistics of a version lie."""
        return self.root / "catalog" / "stats" / ref.dataset / str(ref.version) / f"{name}.yaml"

    def statistics(self, ref: DataRef, name: str) -> Statistics | None:
        """The statistics of that name, if they have been computed."""
        from wxreg.specs.statistics import Statistics

        file = self.statistics_path(ref, check_name(name, "statistics"))
        if not file.exists():
            return None
        return self.whole(file, Statistics, id=name)

    def model_layers(self, name: str, scale: str | None) -> tuple[Layer, ...]:
        """What a model is made of, lowest first: bases, the entry, then the scale's overlays."""
        chain = self._bases("model", name)
        entries = [Layer(file, (), own_values(values)) for file, values in chain]
        if scale is None:
            return tuple(entries)
        scales = [
            Layer(file, ("scales", scale), overlays(file, values)[scale])
            for file, values in chain
            if scale in overlays(file, values)
        ]
        if not scales:
            known = sorted({key for file, values in chain for key in overlays(file, values)})
            raise not_found("scale", scale, known)
        return (*entries, *scales)

    def model(self, name: str, scale: str | None = None, *more: Layer) -> Model:
        """A model expanded from its bases, one scale, and any further layers."""
        from wxreg.specs.model import Model

        layers = (*self.model_layers(name, scale), *more)
        merged: dict[str, Any] = {}
        for layer in layers:
            merged = merge(merged, layer.values)
        merged["id"] = name
        if scale is not None:
            merged["scale"] = scale
        return self.parse(layers[-1].path if more else self.path("model", name), merged, Model)

    def scales(self, name: str) -> tuple[str, ...]:
        """The scales a model has, its bases' included."""
        chain = self._bases("model", name)
        return tuple(sorted({key for file, values in chain for key in overlays(file, values)}))

    def card(self, name: str) -> Card:
        """A person's words about a model; what its card leaves out, the card it continues says."""
        from wxreg.specs.card import Card

        merged: dict[str, Any] = {}
        for _, values in self._bases("card", name):
            merged = merge(merged, own_values(values))
        return self.parse(self.path("card", name), merged, Card)

    def card_files(self, name: str) -> tuple[Path, ...]:
        """The files a card's words come from, the most general first."""
        return tuple(file for file, _ in self._bases("card", name))

    def _bases(self, kind: str, name: str) -> list[tuple[Path, Mapping[str, Any]]]:
        """The files of a base chain, the most general first."""
        chain: list[tuple[Path, Mapping[str, Any]]] = []
        seen: list[str] = []
        following: str | None = name
        while following is not None:
            if following in seen:
                cycle = " → ".join([*seen, following])
                raise Incompatible(
                    "REG-401", f"the bases go round in a circle: {cycle}", where=str(chain[-1][0])
                )
            seen.append(following)
            file = self.path(kind, following)
            values = self.values(file)
            if not isinstance(values, Mapping):
                raise UsageError("REG-202", "the file is not a mapping", where=str(file))
            if fault := differing_id(file, following, values, "model" if kind == "card" else "id"):
                raise fault
            chain.insert(0, (file, values))
            following = values.get("base")
        return chain
