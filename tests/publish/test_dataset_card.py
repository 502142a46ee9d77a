"""The card of a dataset says what the catalog says, in words and in Croissant."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from wxreg.ids import DataRef
from wxreg.library.loading import Library
from wxreg.publish.croissant import croissant
from wxreg.publish.dataset_card import render_dataset_card, write_dataset_card

ROOT = Path(__file__).parents[2]
DATASETS = Library(ROOT).ids("dataset")


def test_the_catalog_was_found():
    assert {"hrrr", "sevir", "conus404", "era5", "cmip6"} <= set(DATASETS)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_has_a_card_with_versions_splits_and_licence(dataset):
    library = Library(ROOT)
    text = render_dataset_card(library, dataset)
    header = yaml.safe_load(text.split("---")[1])
    description = library.description(dataset)
    assert header["pretty_name"] == description.title and header["license"]
    assert description.licence.name in text
    for name in library.versions(dataset):
        version = library.version(DataRef(dataset, name))
        assert version.content in text and version.splits.train[0].start in text
    for name in library.variables(dataset):
        assert f"| `{name}` |" in text


@pytest.mark.parametrize("dataset", DATASETS)
def test_croissant_is_read_without_a_fault_and_gives_the_tables_back(dataset, tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant")
    library, path = Library(ROOT), tmp_path / "croissant.json"
    path.write_text(json.dumps(croissant(library, dataset)))
    read = mlcroissant.Dataset(jsonld=path)
    assert not read.metadata.ctx.issues.errors, read.metadata.ctx.issues.report()
    rows = [
        {key.partition("/")[2]: _text(value) for key, value in row.items()}
        for row in read.records("variables")
    ]
    assert [row["id"] for row in rows] == list(library.variables(dataset))
    lexicon = library.lexicon()
    assert all(row["units"] == lexicon[row["id"]].units for row in rows)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def test_both_files_are_written_by_the_command(lab, reg_command):
    template = ROOT / "cards" / "templates" / "dataset.md.j2"
    (lab.root / "cards" / "templates" / "dataset.md.j2").write_text(template.read_text())
    command = [*reg_command, "--json", "card", "alpha"]
    done = subprocess.run(command, cwd=lab.root, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert Path(told["card"]).is_file() and Path(told["croissant"]).is_file()
    card, metadata = write_dataset_card(lab.library, "alpha")
    assert str(card) == told["card"]
    assert json.loads(metadata.read_text())["name"] == "alpha"
    command = [*reg_command, "card", "alhpa"]
    done = subprocess.run(command, cwd=lab.root, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "alpha" in done.stdout + done.stderr
