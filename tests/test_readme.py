"""Everything in the README is true: its commands run, its output is real, its YAML loads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from small_workspace import make_workspace
from wxreg.cli.table import BY_NAME
from wxreg.library.checks import check
from wxreg.library.loading import Library
from wxreg.library.reading import parse


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def test_the_output_shown_is_what_the_commands_print(readme: str, repository: Path) -> None:
    sys.path.insert(0, str(repository / "docs"))
    from render_readme import output, rendered

    output("reg pull hrrr@mini-1")  # a fresh clone fetches it now; the page shows the second time
    assert rendered(readme) == readme, "run `python docs/render_readme.py`"


def test_every_command_named_exists(readme: str) -> None:
    named = set(re.findall(r"\breg ([a-z]+)", readme))
    assert len(named) > 8
    assert named <= set(BY_NAME)


def test_every_place_named_exists(readme: str, repository: Path) -> None:
    for place in re.findall(r"^\| `([a-z/]+)`", readme, re.MULTILINE):
        assert (repository / place).exists() or place in {"runs/", "forecasts/", "scores/"}


def test_every_make_target_named_exists(readme: str, repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z-]+)", readme, re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_the_dataset_and_the_model_load(readme: str, repository: Path, tmp_path: Path) -> None:
    dataset, model = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    assert all(len(text.splitlines()) < 30 for text in (dataset, model))
    root = make_workspace(tmp_path / "lab")
    (root / "catalog/mine.yaml").write_text(dataset)
    values = parse(model.encode(), "README.md")
    file = root / "registry/models/wider-unet-v1.yaml"
    file.write_text(model.replace("base: unet-hrrr-v1", "base: parent-v1", 1))
    assert check(Library(root)) == ()
    assert Library(root).sources("mine")["zarr"].driver == "wxreg.drivers.CFZarr"
    expanded = Library(root).model("wider-unet-v1", "mini")
    assert json.loads(expanded.model_dump_json())["architecture"]["settings"]["base"] == 24
    assert values["base"] == "unet-hrrr-v1"


def test_the_dataset_opens_with_plain_intake(readme: str, tmp_path: Path) -> None:
    import intake

    dataset, _ = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    root = make_workspace(tmp_path / "lab")
    (root / "catalog/mine.yaml").write_text(dataset)
    opened = intake.open_catalog(str(root / "catalog/mine.yaml"))
    assert list(opened) == ["zarr"]
    assert opened["zarr"].describe()["driver"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_commands_of_daily_work_run_in_a_fresh_clone(
    readme: str, repository: Path, reg_command: list[str], tmp_path: Path
) -> None:
    clone = tmp_path / "a clone"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True)
    block = re.search(r"```\n(reg train.*?)```", readme, re.DOTALL)
    assert block is not None
    known: dict[str, str] = {}
    for line in block[1].splitlines():
        words = line.partition("#")[0].split()[1:]
        words = [known.get(word, word) for word in words]
        done = subprocess.run(
            [*reg_command, *words, "--json"], cwd=clone, capture_output=True, text=True
        )
        assert done.returncode in ((0, 5) if words[0] == "audit" else (0,)), done.stdout
        found = json.loads(done.stdout)
        known["FORECAST"] = found.get("forecast", {}).get("path", known.get("FORECAST", ""))
        known["RUN"] = found["run"] if words[0] == "sample" else known.get("RUN", "")
