from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from wxreg.artifacts.layout import record_beside
from wxreg.artifacts.sealing import (
    Seal,
    check_seal,
    measured,
    read_seal,
    seal,
    write_text,
    writing_file,
    writing_folder,
)
from wxreg.errors import Conflict, IntegrityError, NotFound, StorageError


def sealed(path: Path) -> Seal:
    sha256, size = measured(path)
    record = Seal(
        kind="checkpoint",
        sha256=sha256,
        bytes=size,
        created="2026-11-21T00:00:00+00:00",
        run="train-1",
        head=(7, "ab" * 32),
        sources={"cd" * 32: "raw weights"},
        details={"epoch": 3},
    )
    seal(path, record)
    return record


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    with writing_file(target) as aside:
        aside.write_bytes(b"half")
        assert not target.exists()
        aside.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert names(target.parent) == {"file"}


def test_a_failure_leaves_the_previous_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_text(target, "before")
    with pytest.raises(RuntimeError), writing_file(target) as aside:
        aside.write_bytes(b"half")
        raise RuntimeError
    assert target.read_text() == "before"
    assert names(tmp_path) == {"file"}


def test_a_folder_appears_only_when_it_is_whole_and_never_replaces_another(tmp_path: Path) -> None:
    target = tmp_path / "store.zarr"
    with writing_folder(target) as aside:
        (aside / "deep").mkdir()
        (aside / "deep" / "chunk").write_bytes(b"x")
        assert not target.exists()
    assert (target / "deep" / "chunk").read_bytes() == b"x"
    with pytest.raises(Conflict), writing_folder(target):
        pass
    with pytest.raises(RuntimeError), writing_folder(tmp_path / "other") as aside:
        (aside / "chunk").write_bytes(b"x")
        raise RuntimeError
    assert names(tmp_path) == {"store.zarr"}


def test_a_sealed_file_or_folder_is_checked_byte_by_byte(tmp_path: Path) -> None:
    file, folder = tmp_path / "w.safetensors", tmp_path / "f.zarr"
    file.write_bytes(b"weights")
    folder.mkdir()
    (folder / "chunk").write_bytes(b"0123")
    for path in (file, folder):
        record = sealed(path)
        assert read_seal(path) == record == check_seal(path)
    (folder / "chunk").write_bytes(b"0122")
    file.write_bytes(b"weightz")
    for path in (file, folder):
        with pytest.raises(IntegrityError, match="sealed"):
            check_seal(path)


def test_equal_seals_are_equal_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for path in (first, second):
        path.write_bytes(b"x")
    record = sealed(first)
    seal(second, replace(record, details={"epoch": 3}))
    assert record_beside(first).read_bytes() == record_beside(second).read_bytes()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format":1,"head":[1,"x"]}'])
def test_a_damaged_record_is_an_integrity_error(tmp_path: Path, content: str) -> None:
    record_beside(tmp_path / "a").write_text(content)
    with pytest.raises(IntegrityError):
        read_seal(tmp_path / "a")


def test_what_has_no_record_is_not_sealed(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="not sealed"):
        read_seal(tmp_path / "a")


def test_a_full_device_is_a_storage_error(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_text(target, "before")
    with pytest.raises(StorageError, match="no room"), writing_file(target):
        Path("/dev/full").write_bytes(b"x" * 100_000)
    assert target.read_text() == "before"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny disk needs root")
def test_a_really_full_disk_keeps_the_previous_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        write_text(disk / "file", "before")
        with pytest.raises(StorageError) as refused, writing_file(disk / "file") as aside:
            aside.write_bytes(b"x" * 1_000_000)
        assert refused.value.exit_code == 8
        assert (disk / "file").read_text() == "before"
        assert names(disk) == {"file"}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_a_storage_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="cannot write"):
        write_text(tmp_path / "file", "x")
