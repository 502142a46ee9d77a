"""A signature holds for exactly the bytes and the key that it was made with."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from signing_keys import key_pair

from wxreg.audit.bundle import bundle
from wxreg.audit.signing import (
    Identity,
    Sigstore,
    sign,
    sign_head,
    signature_beside,
    verify_head,
    verify_signature,
)
from wxreg.errors import Conflict, ExternalError, IntegrityError, NotFound, UsageError


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return key_pair(tmp_path, "lab")


def test_a_signed_bundle_verifies_until_a_byte_changes(history, keys, tmp_path):
    path = tmp_path / "x.bundle"
    bundle(history.root, history.ledger, history.checkpoint_sha, path)
    sign(path, keys[0])
    verify_signature(path, keys[1])
    with pytest.raises(Conflict):
        sign(path, keys[0])
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError) as refused:
        verify_signature(path, keys[1])
    assert refused.value.code == "REG-573"


@pytest.mark.parametrize("change", ["edit", "add", "remove", "git"])
def test_a_signed_folder_is_held_to_every_file(tmp_path, keys, change):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "lineage.json").write_text('{"checkpoint": "a"}')
    sign(folder, keys[0])
    verify_signature(folder, keys[1])
    if change == "remove":
        (folder / "lineage.json").unlink()
    else:
        name = {"edit": "lineage.json", "add": "more.txt", "git": ".gitattributes"}[change]
        (folder / name).write_text('{"checkpoint": "b"}')
    with pytest.raises(IntegrityError):
        verify_signature(folder, keys[1])


def test_another_key_a_torn_signature_and_no_signature(tmp_path, keys):
    path = tmp_path / "file"
    path.write_text("hello")
    with pytest.raises(NotFound):
        verify_signature(path, keys[1])
    sign(path, keys[0])
    with pytest.raises(IntegrityError):
        verify_signature(path, key_pair(tmp_path, "other")[1])
    signature_beside(path).write_text("{")
    with pytest.raises(IntegrityError):
        verify_signature(path, keys[1])
    (tmp_path / "no.pem").write_text("not a key")
    with pytest.raises(UsageError):
        sign(tmp_path / "no.pem", tmp_path / "no.pem")


def test_a_signed_head_shows_that_the_log_lost_its_tail(history, keys, tmp_path):
    out = tmp_path / "head.json"
    head = sign_head(history.ledger, keys[0], out)
    assert verify_head(history.ledger, keys[1], out) == head
    history.ledger.removed(history.checkpoint_sha, history.here.relative(history.checkpoint))
    assert verify_head(history.ledger, keys[1], out) == head  # the log may grow
    with sqlite3.connect(history.root / ".reg" / "ledger.db") as database:
        database.execute("DELETE FROM events WHERE sequence > 4")
    with pytest.raises(IntegrityError) as refused:
        verify_head(history.ledger, keys[1], out)
    assert refused.value.code == "REG-522"


def test_the_command(history, keys, tmp_path, reg_command):
    def reg(*words: object) -> int:
        command = [*reg_command, "sign", *map(str, words)]
        return subprocess.run(command, cwd=history.root, check=False).returncode

    assert reg(history.checkpoint, "--key", keys[0]) == 0
    assert reg(history.checkpoint, "--key", keys[1], "--verify") == 0
    history.checkpoint.write_bytes(b"other")
    assert reg(history.checkpoint, "--key", keys[1], "--verify") == 5


def test_sigstore_without_a_network_says_what_else_signs(tmp_path):
    path = tmp_path / "file"
    path.write_text("hello")
    with pytest.raises(ExternalError) as refused:
        sign(path, Sigstore(token="a.b.c"))
    assert refused.value.code == "REG-770" and "--key" in str(refused.value.hint)
    assert not signature_beside(path).exists()
    signature_beside(path).write_text("{}")
    with pytest.raises((ExternalError, IntegrityError)):
        verify_signature(path, Identity("me@lab.example", "https://issuer.example"))


@pytest.mark.parametrize(
    "words",
    [[], ["--key", "k.pem", "--sigstore"], ["--verify"], ["--verify", "--identity", "me"]],
)
def test_who_signs_must_be_said_once(tmp_path, words):
    path = tmp_path / "file"
    path.write_text("hello")
    reg = str(Path(sys.executable).with_name("reg"))
    done = subprocess.run([reg, "sign", str(path), *words], capture_output=True, text=True)
    assert done.returncode == 2 and "--key" in done.stderr
