"""``reg data`` as a user calls it: stores, versions that never change, and what check finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from runs.tiny_world import World, make_world
from wxreg.artifacts.dvc import push_version
from wxreg.cli.main import run
from wxreg.data.stores import open_store
from wxreg.ids import DataRef

DVC = """[core]
    remote = embedded
    analytics = false
['remote "embedded"']
    url = ../data/embedded
    verify = true
"""
PREPARE = ("data", "prepare", "alpha@tiny", "--workers", "1")
SPLITS = """train: [{start: "2023-01-01", end: "2023-01-02"}]
validation: [{start: "2023-01-02T04:00", end: "2023-01-02T12:00"}]
test: [{start: "2023-01-02T16:00", end: "2023-01-03"}]
buffer: 2h
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with git, DVC, one version and its store."""
    root = make_world(tmp_path_factory.mktemp("template") / "world").root
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(DVC)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


Reg = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def world(template: Path, tmp_path: Path) -> World:
    """A copy of the template, in a folder with a space in its name."""
    return World(Path(shutil.copytree(template, tmp_path / "work space")))


@pytest.fixture
def reg(world: World, capsys: pytest.CaptureFixture[str]) -> Reg:
    """The command in this process: its exit status and its one document."""

    def call(*words: str) -> tuple[int, dict[str, Any]]:
        with pytest.raises(SystemExit) as ended:
            run(["--workspace", str(world.root), "--json", *words])
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)

    return call


def test_a_view_is_prepared_once_and_reported(world: World, reg: Reg) -> None:
    status, first = reg(*PREPARE)
    assert status == 0
    report = json.loads(Path(first["quality"]).read_text())
    assert report["version"] == "alpha@tiny"
    assert Path(first["quality"]).with_suffix(".txt").is_file()
    written = (world.store / "zarr.json").stat().st_mtime_ns
    status, second = reg(*PREPARE)
    assert (status, second["identity"]) == (0, first["identity"])
    assert (world.store / "zarr.json").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("region", "code", "words"),
    [
        ("45,3,38,9", "REG-230", "must lie below its north"),
        ("38,3,95,9", "REG-230", "both in -90..90"),
        ("38,nan,45,9", "REG-230", "south, west, north, east"),
        ("38,3,45", "REG-230", "is no region"),
        ("-45,3,-38,9", "REG-430", "its cells lie between"),
    ],
)
def test_a_region_that_cannot_be_is_told_before_anything_is_made(
    world: World, reg: Reg, region: str, code: str, words: str
) -> None:
    status, told = reg(*PREPARE, "--version", "part-1", f"--region={region}")
    assert status == {"REG-230": 2, "REG-430": 4}[code]
    assert told["error"]["code"] == code
    assert words in f"{told['error']['message']} {told['error']['hint']}"
    assert not (world.root / "catalog/alpha/versions/part-1.yaml").exists()


def test_a_part_of_a_version_becomes_a_version_that_never_changes(world: World, reg: Reg) -> None:
    part = (*PREPARE, "--version", "part-1", "--region", "38,3,45,9")
    status, made = reg(*part)
    assert status == 0
    described = yaml.safe_load(Path(made["entry"]).read_text())
    assert described["layout"] == "canonical"
    assert described["content"] == made["content"]
    assert described["pin"] == yaml.safe_load(Path(made["pin"]).read_text())["outs"][0]["md5"]
    assert described["splits"]["train"] == [
        {"start": "2023-01-01T00:00", "end": "2023-01-04T00:00"}
    ]
    small, whole = open_store(Path(made["path"])), open_store(world.store)
    cells = (whole.y >= 38) & (whole.y <= 45), (whole.x >= 3) & (whole.x <= 9)
    np.testing.assert_array_equal(small.t2m, whole.t2m[:, cells[0].values][:, :, cells[1].values])
    assert small.quality_flag.shape == (120, 4)
    assert Path(made["path"] + ".quality.json").is_file()

    status, again = reg(*part)
    assert (status, again["error"]["code"]) == (6, "REG-680")
    assert reg("check")[0] == 0
    status, prepared = reg("data", "prepare", "alpha@part-1", "--workers", "1")
    assert status == 0
    np.testing.assert_array_equal(open_store(Path(prepared["path"])).t2m, small.t2m)

    assert push_version(world.root, "alpha", "part-1") > 0
    subprocess.run(["rm", "-rf", made["path"], str(world.root / ".dvc" / "cache")], check=True)
    assert reg("pull", "alpha@part-1")[1]["fetched"]
    assert open_store(Path(made["path"])).sizes["time"] == 120

    pin = Path(made["pin"])
    pin.write_text(pin.read_text().replace("md5: ", "md5: 0", 1))
    status, found = reg("check")
    assert status == 2
    assert "is released with the content" in found["findings"][0]["what"]


def test_a_short_part_needs_splits_of_its_own(world: World, reg: Reg, tmp_path: Path) -> None:
    days = ("--start", "2023-01-01", "--end", "2023-01-03")
    part = (*PREPARE, "--version", "two-days", *days)
    status, refused = reg(*part)
    assert (status, refused["error"]["code"]) == (2, "REG-230")
    assert "--splits" in refused["error"]["hint"]
    assert not list((world.root / "catalog" / "alpha" / "versions").glob("two-days*"))
    (tmp_path / "splits.yaml").write_text(SPLITS)
    status, made = reg(*part, "--splits", str(tmp_path / "splits.yaml"))
    assert status == 0
    assert yaml.safe_load(Path(made["entry"]).read_text())["time"]["end"] == "2023-01-03T00:00"


def test_a_version_is_made_from_a_source_of_the_catalog(world: World, reg: Reg) -> None:
    catalog = world.root / "catalog" / "alpha.yaml"
    known = yaml.safe_load(catalog.read_text())
    known["sources"]["local"] = {
        "driver": "wxreg.drivers.CFZarr",
        "description": "here",
        "args": {"dataset": "alpha", "urlpath": "{{ folder }}"},
        "parameters": {"folder": {"description": "where", "type": "str", "default": "nowhere"}},
        "metadata": {"layout": "cf-zarr", "access": "local"},
    }
    known["metadata"]["reg"]["splits"] = yaml.safe_load(SPLITS)
    catalog.write_text(yaml.safe_dump(known, sort_keys=False))
    new = ("data", "prepare", "alpha", "--workers", "1", "--version")
    source = (*new, "new-1", "--source", "local")
    more = ("--start", "2023-01-01", "--end", "2023-01-03", "--variable", "t2m")
    status, made = reg(*source, *more, "--parameter", "folder=data/alpha/tiny/alpha.zarr")
    assert status == 0, made
    assert list(open_store(Path(made["path"])).data_vars) == ["t2m"]
    status, refused = reg(*source, *more[:4])
    assert (status, refused["error"]["code"]) == (2, "REG-230")
    status, refused = reg(*source[:-1], "locale", *more)
    assert (status, refused["error"]["hint"]) == (3, "did you mean local?")


def test_files_are_taken_over_as_a_new_version(world: World, reg: Reg, tmp_path: Path) -> None:
    files = world.root / "data" / "alpha" / "tiny"
    status, made = reg("data", "add", "alpha", "same-1", str(files), "--like", "alpha@tiny")
    assert status == 0
    known = world.library.version(DataRef.parse("alpha@tiny"))
    new = world.library.version(DataRef.parse("alpha@same-1"))
    assert new.content == known.content == made["content"]
    assert (new.layout, new.splits, new.variables) == (known.layout, known.splits, known.variables)
    status, refused = reg("data", "add", "alpha", "same-1", str(files), "--like", "alpha@tiny")
    assert (status, refused["error"]["code"]) == (6, "REG-680")
    nowhere = str(tmp_path / "nowhere")
    assert reg("data", "add", "alpha", "x-1", nowhere, "--like", "alpha@tiny")[0] == 3


def test_check_finds_near_splits_and_faults_of_stores(world: World, reg: Reg) -> None:
    assert reg(*PREPARE)[0] == 0
    status, found = reg("data", "check")
    assert (status, found["versions"]) == (0, ["alpha@tiny"])
    assert not [one for one in found["findings"] if one["severity"] == "error"]
    entry = world.root / "catalog" / "alpha" / "versions" / "tiny.yaml"
    entry.write_text(entry.read_text().replace("2023-01-04T04:00", "2023-01-03T22:00"))
    status, found = reg("data", "check", "alpha@tiny")
    assert status == 5
    assert any("overlap" in one["what"] for one in found["findings"])


def test_a_killed_preparation_of_a_version_goes_on(world: World, reg: Reg) -> None:
    part = world.command(*PREPARE, "--version", "late-1")
    process = subprocess.Popen(part, stdout=subprocess.DEVNULL, env={**os.environ})
    partial = world.root / "data" / "alpha" / "late-1.partial"
    begun = partial.with_name(f"{partial.name}.new")
    while process.poll() is None and not (partial.exists() or begun.exists()):
        pass
    process.kill()
    process.wait()
    assert not (world.root / "catalog" / "alpha" / "versions" / "late-1.yaml").exists()
    status, made = reg(*PREPARE, "--version", "late-1")
    assert status == 0
    status, other = reg(*PREPARE, "--version", "late-2")
    assert made["content"] == other["content"]
