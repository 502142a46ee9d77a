"""Versions through a real DVC with a real folder as its remote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wxreg.artifacts.digests import tree_digest
from wxreg.artifacts.dvc import add_version, pin_file, pull_version, push_version, version_state
from wxreg.artifacts.layout import Layout
from wxreg.errors import Conflict, ExternalError, IntegrityError, NotFound

CONFIG = """[core]
    remote = embedded
    analytics = false
['remote "embedded"']
    url = ../data/embedded
    verify = true
['remote "models"']
    url = ../models
    verify = true
"""
FILES = 12


def git(root: Path, *words: str) -> None:
    settings = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(root), *settings, *words], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace in a folder with a space in its name, with hrrr@mini-1 released."""
    root = tmp_path / "work space"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text(CONFIG)
    (root / ".gitignore").write_text("/data/*/*/\n!/data/embedded/\n.dvc/tmp/\n.dvc/cache/\n")
    git(tmp_path, "init", "-q", str(root))
    make(root, "mini-1")
    push_version(root, "hrrr", "mini-1")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "release")
    return root


def make(root: Path, version: str) -> str:
    folder = Layout(root).version("hrrr", version)
    (folder / "deep").mkdir(parents=True)
    for number in range(FILES):
        (folder / "deep" / f"f{number}").write_bytes(f"{version} {number}".encode() * 50)
    return add_version(root, "hrrr", version).digest


def digest_of(root: Path) -> str:
    return tree_digest(Layout(root).version("hrrr", "mini-1")).digest


def forget(root: Path, *, cache: bool) -> None:
    """As on another machine: no data, and perhaps no cache."""
    remove(Layout(root).version("hrrr", "mini-1"))
    if cache:
        remove(root / ".dvc" / "cache")


def remove(folder: Path) -> None:
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def objects(folder: Path) -> list[Path]:
    """The stored data files, without the listing."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".dir")


def damage(path: Path, content: bytes | None = None) -> None:
    path.chmod(0o644)
    changed = bytearray(path.read_bytes())
    changed[3] ^= 1
    path.write_bytes(changed if content is None else content)
    path.chmod(0o444)


def test_pull_brings_exactly_the_bytes_and_is_a_no_op_the_second_time(root: Path) -> None:
    digest = digest_of(root)
    forget(root, cache=True)
    assert version_state(root, "hrrr", "mini-1", digest) == "absent"
    assert pull_version(root, "hrrr", "mini-1", digest).changed
    assert digest_of(root) == digest
    assert not pull_version(root, "hrrr", "mini-1", digest).changed
    assert version_state(root, "hrrr", "mini-1", digest) == "whole"


def test_the_no_op_does_not_load_dvc(root: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from wxreg.artifacts.dvc import pull_version\n"
        "assert not pull_version(Path(sys.argv[1]), 'hrrr', 'mini-1', sys.argv[2]).changed\n"
        "assert 'dvc' not in sys.modules, 'DVC was loaded'\n"
    )
    subprocess.run([sys.executable, "-c", script, str(root), digest_of(root)], check=True)


def test_an_older_version_is_pulled_whatever_is_checked_out(root: Path) -> None:
    digest = digest_of(root)
    pin = Layout(root).pin("hrrr", "mini-1")
    git(root, "checkout", "-q", "-b", "without")
    git(root, "rm", "-q", str(pin))
    git(root, "commit", "-q", "-m", "another branch")
    forget(root, cache=True)
    assert not pin.exists()
    assert pull_version(root, "hrrr", "mini-1", digest).changed
    assert digest_of(root) == digest


@pytest.mark.parametrize("content", [None, b"", b"short"])
def test_a_damaged_cache_object_is_found_and_repaired_from_the_remote(root, content) -> None:
    digest = digest_of(root)
    forget(root, cache=False)
    damage(objects(root / ".dvc" / "cache")[4], content)
    report = pull_version(root, "hrrr", "mini-1", digest)
    assert len(report.repaired) == 1 and report.repaired[0].startswith("deep/f")
    assert digest_of(root) == digest


def test_a_damaged_file_in_the_folder_is_put_right(root: Path) -> None:
    digest = digest_of(root)
    file = Layout(root).version("hrrr", "mini-1") / "deep" / "f3"
    before = file.stat()
    damage(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert version_state(root, "hrrr", "mini-1", digest) == "changed"
    assert pull_version(root, "hrrr", "mini-1", digest).changed
    assert digest_of(root) == digest


def test_damage_that_the_remote_shares_is_named(root: Path) -> None:
    digest = digest_of(root)
    forget(root, cache=True)
    bad = objects(root / "data" / "embedded")[2]
    name = bad.read_bytes().split(b"mini-1")[1].strip().decode()
    damage(bad)
    with pytest.raises(IntegrityError) as refused:
        pull_version(root, "hrrr", "mini-1", digest)
    assert refused.value.code == "REG-580"
    assert f"deep/f{name}" in refused.value.message


def test_a_remote_without_the_object_is_named_too(root: Path) -> None:
    digest = digest_of(root)
    forget(root, cache=True)
    objects(root / "data" / "embedded")[2].unlink()
    with pytest.raises(IntegrityError, match=r"1 files are missing .* deep/f"):
        pull_version(root, "hrrr", "mini-1", digest)


def test_a_pin_that_disagrees_with_the_catalog_is_refused(root: Path) -> None:
    with pytest.raises(IntegrityError, match="the catalog says"):
        pull_version(root, "hrrr", "mini-1", "ab" * 32)


def test_a_version_is_added_once(root: Path) -> None:
    digest = make(root, "mini-2")
    assert digest != digest_of(root)
    assert version_state(root, "hrrr", "mini-2", digest) == "whole"
    with pytest.raises(Conflict, match="released"):
        add_version(root, "hrrr", "mini-2")


def test_an_unknown_version_is_not_found_with_the_near_names(root: Path) -> None:
    with pytest.raises(NotFound) as refused:
        pull_version(root, "hrrr", "mini-11", "ab" * 32)
    assert "mini-1" in str(refused.value.hint)
    with pytest.raises(NotFound):
        add_version(root, "hrrr", "nothing-here")


def test_a_kept_checkpoint_goes_to_its_own_remote_only(root: Path) -> None:
    weights = root / "runs" / "train-1" / "best.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    report = pin_file(root, weights, "train-1")
    released = objects(root / "data" / "embedded")
    assert push_version(root, "checkpoints", "train-1") == 2
    assert objects(root / "data" / "embedded") == released
    assert len(objects(root / "models")) == 1
    remove(root / "data" / "checkpoints" / "train-1")
    remove(root / ".dvc" / "cache")
    pull_version(root, "checkpoints", "train-1", report.digest)
    kept = root / "data" / "checkpoints" / "train-1" / "best.safetensors"
    assert kept.read_bytes() == b"weights"
    ignored = ["git", "-C", str(root), "check-ignore", "-q", str(report.pin)]
    assert subprocess.run(ignored, check=False).returncode == 1


def test_a_folder_without_dvc_says_so(tmp_path: Path) -> None:
    folder = Layout(tmp_path).version("hrrr", "mini-1")
    folder.mkdir(parents=True)
    (folder / "f").write_text("x")
    with pytest.raises(ExternalError, match="DVC"):
        add_version(tmp_path, "hrrr", "mini-1")


def test_dvc_keeps_its_notes_inside_the_workspace(root: Path) -> None:
    assert any((root / ".dvc" / "tmp" / "site").iterdir())
