"""`reg check`: all findings of broken workspaces in one pass, none a traceback."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from small_workspace import make_workspace
from wxreg.errors import Incompatible, NotFound, UsageError
from wxreg.ids import DataRef
from wxreg.library.checks import check
from wxreg.library.loading import Library

BROKEN = [
    (
        "registry/models/child-v1.yaml",
        "training: {steps: 20}",
        "trainning: {steps: 20}",
        "training",
    ),
    ("registry/models/child-v1.yaml", "steps: 20", "steps: many", "int"),
    ("registry/models/child-v1.yaml", "steps: 20", "steps: 0", "greater"),
    ("registry/models/child-v1.yaml", "id: child-v1", "id: other-v1", "child-v1"),
    ("registry/models/child-v1.yaml", "base: parent-v1", "base: child-v1", "circle"),
    ("registry/models/child-v1.yaml", "base: parent-v1", "base: parant-v1", "parent-v1"),
    ("registry/models/child-v1.yaml", "base: parent-v1", "base: ../../etc/passwd", "not the name"),
    ("registry/models/parent-v1.yaml", "name: unet", "name: unett", "unet"),
    ("registry/models/parent-v1.yaml", "alpha: one", "alpha: three", "alpha@three"),
    ("registry/models/parent-v1.yaml", "protocol: simple", "protocol: simpel", "simple"),
    ("registry/models/parent-v1.yaml", "[t2m, refc]", "[t2m, t2m]", "twice"),
    ("registry/models/parent-v1.yaml", "[t2m, refc]", "[t2m, refd]", "refd"),
    ("registry/protocols/simple.yaml", "units: dBZ", "units: K", "convert"),
    ("registry/protocols/simple.yaml", "spec: 1", "spec: 99", "newer"),
    ("catalog/alpha.yaml", "units: degC", "units: Pa", "convert"),
    ("catalog/alpha.yaml", "id: t2m", "id: t3m", "lexicon"),
    ("catalog/alpha.yaml", "commercial: true", "commercial: maybe", "bool"),
    ("catalog/alpha/versions/one.yaml", '"2023-01-11"', '"2023-01-09"', "overlap"),
    ("catalog/alpha/versions/one.yaml", '"2023-01-11"', '"2023-01-10T12:00"', "buffer"),
    ("catalog/alpha/versions/one.yaml", '"2023-01-20"', '"2023-01-02"', "end after"),
    ("catalog/stats/alpha/one/native.yaml", "alpha@one", "alpha@two", "other bytes"),
    ("catalog/stats/alpha/one/native.yaml", '"111', '"011', "other bytes"),
    ("catalog/lexicon.yaml", "partner: v10", "partner: v11", "v11"),
    ("catalog/lexicon.yaml", "units: dBZ", "units: decibel", "not a unit"),
]


def test_the_whole_workspace_is_clean(workspace: Path) -> None:
    assert check(Library(workspace)) == ()


def test_this_repository_is_clean(repository: Path) -> None:
    assert [f for f in check(Library(repository)) if f.severity == "error"] == []


@pytest.mark.parametrize(("file", "old", "new", "word"), BROKEN)
def test_each_break_is_found_with_its_place_and_remedy(
    workspace: Path, file: str, old: str, new: str, word: str
) -> None:
    path = workspace / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    findings = check(Library(workspace))
    assert findings, "the break was not found"
    said = " ".join(f"{f.where} {f.what} {f.remedy}" for f in findings)
    assert word in said
    assert any(Path(file).name in f.where for f in findings)
    assert all(f.remedy for f in findings)


def test_all_breaks_are_reported_at_once(workspace: Path) -> None:
    for file in ("registry/models/parent-v1.yaml", "registry/protocols/simple.yaml"):
        path = workspace / file
        path.write_text(path.read_text().replace("title:", "titel:", 1))
    (workspace / "catalog" / "gamma.yaml").write_text("a: [\n")
    places = {Path(f.where.partition(":")[0]).name for f in check(Library(workspace))}
    assert {"parent-v1.yaml", "simple.yaml", "gamma.yaml"} <= places


def test_faults_name_their_line(workspace: Path) -> None:
    path = workspace / "registry/models/child-v1.yaml"
    path.write_text(path.read_text().replace("steps: 20", "stepps: 20"))
    with pytest.raises(UsageError) as caught:
        Library(workspace).model("child-v1", "mini")
    assert "steps" in str(caught.value.hint)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32))
def test_random_damage_never_ends_in_a_traceback(tmp_path: Path, seed: int) -> None:
    root = make_workspace(tmp_path / "damaged")
    chance = random.Random(seed)
    files = sorted(path for path in root.rglob("*.yaml"))
    path = chance.choice(files)
    raw = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(raw))
        kind = chance.randrange(3)
        if kind == 0:
            del raw[start : start + chance.randint(1, 30)]
        elif kind == 1:
            raw[start:start] = chance.choice([b"\t", b": ", b"- ", b"\xff", b"{", b"&a ", b"!!x "])
        else:
            raw[start] = chance.randrange(256)
        raw = raw or bytearray(b"x")
    path.write_bytes(bytes(raw))
    check(Library(root))  # whatever it finds, it returns


def test_layers_lie_in_order(workspace: Path) -> None:
    library = Library(workspace)
    plain, mini = library.model("child-v1"), library.model("child-v1", "mini")
    assert (plain.training.steps, plain.training.batch) == (20, 4)
    assert (mini.training.steps, mini.training.batch) == (20, 2)
    assert mini.versions == {"alpha": "one"}


def test_near_names_are_given(workspace: Path) -> None:
    library = Library(workspace)
    with pytest.raises(NotFound, match="child-v2") as caught:
        library.model("child-v2", "mini")
    assert "child-v1" in str(caught.value.hint)
    with pytest.raises(NotFound) as version:
        library.version(DataRef("alpha", "on"))
    assert "one" in str(version.value.hint)


def test_a_file_for_a_newer_wxreg_is_refused_in_plain_words(workspace: Path) -> None:
    path = workspace / "registry/protocols/simple.yaml"
    path.write_text(path.read_text().replace("spec: 1", "spec: 2"))
    from wxreg.specs.protocol import Protocol

    with pytest.raises(Incompatible, match="format 2"):
        Library(workspace).entry("protocol", "simple", Protocol)


def test_a_released_version_may_not_change(workspace: Path) -> None:
    version = workspace / "catalog/alpha/versions/one.yaml"
    version.write_text(version.read_text() + "pin: " + "a" * 32 + ".dir\n")
    pin = workspace / "data/alpha/one.dvc"
    pin.parent.mkdir(parents=True)
    pin.write_text("outs:\n- md5: " + "b" * 32 + ".dir\n  path: one\n")
    assert "REG-500" in {found.code for found in check(Library(workspace))}
