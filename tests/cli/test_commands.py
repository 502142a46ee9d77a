"""The commands of the spine as a person or a program calls them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

HEAVY = (
    "torch",
    "xarray",
    "zarr",
    "dvc",
    "sqlmodel",
    "sqlalchemy",
    "huggingface_hub",
    "matplotlib",
)


def reg(
    command: list[str], root: Path, *words: str, status: int = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*command, *words], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def document(command: list[str], root: Path, *words: str, status: int = 0) -> dict[str, Any]:
    done = reg(command, root, *words, "--json", status=status)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_stable_keys(reg_command: list[str], workspace: Path) -> None:
    resolved = document(reg_command, workspace, "resolve", "parent-v1")
    assert resolved["kind"] == "train" and len(resolved["digest"]) == 64 and resolved["plan"]
    again = document(reg_command, workspace, "resolve", "parent-v1")
    assert again == resolved
    for task in ("sample", "evaluate"):
        assert (
            document(reg_command, workspace, "resolve", "parent-v1", "--task", task)["kind"] == task
        )
    draft = document(reg_command, workspace, "resolve", "parent-v1", "--scale", "full")
    assert (draft["kind"], draft["digest"]) == ("draft", None)
    rows = document(reg_command, workspace, "list", "models")["rows"]
    assert [row["id"] for row in rows] == ["child-v1", "parent-v1"]
    assert document(reg_command, workspace, "check") == {"findings": []}
    cell = document(reg_command, workspace, "matrix", "parent-v1")["rows"][0]
    assert set(cell) == {"model", "dataset", "lead", "ok", "reasons"}


def test_an_answer_is_kept_only_while_its_files_are_unchanged(
    reg_command: list[str], workspace: Path
) -> None:
    one = document(reg_command, workspace, "resolve", "child-v1")
    parent = workspace / "registry/models/parent-v1.yaml"
    parent.write_text(parent.read_text().replace("base: 8", "base: 16"))
    two = document(reg_command, workspace, "resolve", "child-v1")
    assert one["digest"] != two["digest"]
    (workspace / "catalog/stats/alpha/one/native.yaml").unlink()
    assert "error" in document(reg_command, workspace, "resolve", "child-v1", status=4)


@pytest.mark.parametrize(
    ("words", "status", "code", "hint"),
    [
        (("resolve", "parant-v1"), 3, "REG-300", "parent-v1"),
        (("resolve", "parent-v1", "--data", "alpha@on"), 3, "REG-300", "one"),
        (("resolve", "parent-v1", "--lead-time", "soon"), 2, "REG-205", "1h"),
        (("resolve", "parent-v1", "--lead-time", "90min"), 4, "REG-400", "nearest"),
        (("resolve", "parent-v1", "--set", "training.bach=3"), 2, "REG-200", "training.batch"),
        (("resolve", "parent-v1", "--task", "trian"), 2, "REG-200", "train"),
        (("resolve", "../../etc/passwd"), 2, "REG-200", "names"),
        (("reslove", "parent-v1"), 2, "REG-290", "resolve"),
        (("resolve", "parent-v1", "--bogus"), 2, "REG-290", "--help"),
        (("resolve",), 2, "REG-290", "--help"),
        (("list", "modles"), 2, "REG-290", "models"),
        (("show", "parent-v2"), 3, "REG-300", "parent-v1"),
        (("schema", "modle"), 3, "REG-300", "model"),
        (("list", "models", "--workspace", "/nowhere"), 2, "REG-204", "reg init"),
        (("train", "nobody-v1"), 3, "REG-300", None),
        (("pull", "alpha@nine"), 3, "REG-300", "one"),
    ],
)
def test_wrong_words_get_a_code_and_a_remedy(
    reg_command: list[str],
    workspace: Path,
    words: tuple[str, ...],
    status: int,
    code: str,
    hint: str | None,
) -> None:
    error = document(reg_command, workspace, *words, status=status)["error"]
    assert error["code"] == code
    assert hint is None or hint in error["hint"]
    plain = reg(reg_command, workspace, *words, status=status)
    assert plain.stdout == "" and plain.stderr.startswith(code)


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("list",),
        ("show", "parent-v1"),
        ("resolve", "parent-v1"),
        ("diff", "parent-v1", "child-v1"),
        ("check",),
        ("matrix",),
        ("train", "nobody-v1"),
    ],
)
def test_light_commands_load_nothing_heavy(
    reg_command: list[str], workspace: Path, words: tuple[str, ...]
) -> None:
    python = Path(reg_command[0]).with_name("python")
    status = 3 if words[0] == "train" else 0
    done = reg([str(python), "-X", "importtime", *reg_command], workspace, *words, status=status)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert loaded.isdisjoint(HEAVY)


def test_every_command_has_help_with_an_example(reg_command: list[str], tmp_path: Path) -> None:
    from wxreg.cli.table import COMMANDS

    listed = reg(reg_command, tmp_path, "--help").stdout
    for row in COMMANDS:
        assert f"  {row.name} " in listed
        assert "Example: reg" in reg(reg_command, tmp_path, row.name, "--help").stdout


def test_shared_options_stand_anywhere(reg_command: list[str], workspace: Path) -> None:
    first = reg(reg_command, workspace, "--json", "list", "models").stdout
    last = reg(
        reg_command, workspace.parent, "list", "models", "--json", "--workspace", str(workspace)
    )
    assert first == last.stdout


def test_the_workspace_is_found_from_below(reg_command: list[str], workspace: Path) -> None:
    assert (
        "parent-v1" in reg(reg_command, workspace / "registry" / "models", "list", "models").stdout
    )
    reg(reg_command, workspace.parent, "list", "models", status=2)


def test_init_makes_a_workspace_that_checks(reg_command: list[str], workspace: Path) -> None:
    for words in (("init", "new lab"), ("init", "bare lab", "--bare")):
        reg(reg_command, workspace, *words)
        assert document(reg_command, workspace / words[1], "check")["findings"] == []
    reg(reg_command, workspace, "init", "new lab", status=6)


def test_the_log_is_verified_against_a_head(reg_command: list[str], workspace: Path) -> None:
    head = document(reg_command, workspace, "log", "head")["head"]
    assert document(reg_command, workspace, "log", "verify", "--head", head)["ok"]
    lost = document(reg_command, workspace, "log", "verify", "--head", "9:" + "f" * 64, status=5)
    assert not lost["ok"] and lost["findings"]


def test_doctor_names_the_machine(reg_command: list[str], workspace: Path) -> None:
    found = document(reg_command, workspace, "doctor")
    assert {"python", "devices", "workspace"} <= set(found["machine"])
    assert all(row["version"] or row["remedy"] for row in found["packages"])


def test_schemas_are_current() -> None:
    from wxreg.library import schemas

    for kind in schemas.KINDS:
        assert (schemas.FOLDER / f"{kind}.json").read_text() == schemas.text(kind), (
            "run `reg schema --write`"
        )


def test_every_yaml_names_its_schema(repository: Path) -> None:
    files = [
        path
        for folder in ("catalog", "registry", "cards")
        for path in (repository / folder).rglob("*.yaml")
        if "checkpoints" not in path.parts
    ]
    assert len(files) > 20
    for path in files:
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        named = first.removeprefix("# yaml-language-server: $schema=")
        assert named != first, path
        assert (path.parent / named).resolve().is_file(), path


def test_completion_knows_the_names(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wxreg.cli.completing import complete_data, complete_models

    monkeypatch.chdir(workspace)
    assert complete_models("par") == ["parent-v1"]
    assert complete_data("al") == ["alpha"]
    assert complete_data("alpha@t") == ["alpha@two"]
    monkeypatch.chdir(workspace.parent)
    assert complete_models("") == []
