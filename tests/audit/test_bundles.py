"""A bundle goes to another lab and is proved there; a hostile one leaves no trace."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import little_history as little
import pytest

from wxreg.audit.audit import audit
from wxreg.audit.bundle import bundle
from wxreg.audit.importing import import_bundle
from wxreg.audit.whence import whence
from wxreg.audit.workplace import Workplace
from wxreg.errors import Conflict, IntegrityError
from wxreg.ledger.records import Head
from wxreg.ledger.store import Ledger
from wxreg.ledger.verify import verify

Content = dict[str, bytes]


@pytest.fixture(scope="module")
def packed(shared: little.History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The forecast with its chain."""
    out = tmp_path_factory.mktemp("mail") / "storm.bundle"
    sha = whence(shared.forecast, shared.here).subject["sha256"]
    made = bundle(shared.root, shared.ledger, sha, out)
    assert made.runs == (little.SAMPLE, little.TRAIN) and made.missing == ()
    return out


@pytest.fixture
def other(tmp_path: Path) -> Workplace:
    """An empty workspace of another lab."""
    root = tmp_path / "lab-two"
    for name in ("catalog", "registry"):
        (root / name).mkdir(parents=True)
    return Workplace(root, Ledger(root / ".reg" / "ledger.db"))


def files(root: Path) -> set[str]:
    found = (path for path in root.rglob("*") if path.is_file() and "ledger.db" not in path.name)
    return {path.relative_to(root).as_posix() for path in found}


def test_what_was_exchanged_is_proved_in_an_empty_workspace(shared, packed, other):
    made = import_bundle(other.root, other.ledger, packed)
    assert set(made.runs) == {little.SAMPLE, little.TRAIN} and len(made.artifacts) == 2
    forecast = other.root / "forecasts" / shared.forecast.name
    answer = whence(forecast, other, deep=True)
    assert answer.status == "verified"
    assert answer.chain["checkpoint"]["sha256"] == shared.checkpoint_sha
    assert answer.as_json()["plan"] == whence(shared.forecast, shared.here).as_json()["plan"]
    assert verify(other.ledger).ok
    assert audit(other.root, other.ledger, "full").whole


def test_importing_twice_changes_nothing(packed, other):
    import_bundle(other.root, other.ledger, packed)
    before = (other.ledger.head(), files(other.root))
    again = import_bundle(other.root, other.ledger, packed)
    assert (again.runs, again.artifacts) == ((), ())
    assert (other.ledger.head(), files(other.root)) == before


def test_an_import_that_was_killed_before_the_ledger_is_repeated(packed, other, monkeypatch):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("wxreg.audit.importing.restore_run", killed)
        with pytest.raises(KeyboardInterrupt):
            import_bundle(other.root, other.ledger, packed)
    assert len(import_bundle(other.root, other.ledger, packed).artifacts) == 2


def test_equal_bundles_are_equal_files_and_a_checkpoint_can_go_alone(shared, packed, tmp_path):
    sha = whence(shared.forecast, shared.here).subject["sha256"]
    bundle(shared.root, shared.ledger, sha, tmp_path / "again.bundle")
    assert (tmp_path / "again.bundle").read_bytes() == packed.read_bytes()
    made = bundle(shared.root, shared.ledger, shared.checkpoint_sha, tmp_path / "c.bundle")
    assert made.runs == (little.TRAIN,)
    with pytest.raises(Conflict):
        bundle(shared.root, shared.ledger, sha, packed)


def test_a_damaged_checkpoint_is_not_packed(history, tmp_path):
    sha = history.checkpoint_sha
    history.checkpoint.write_bytes(history.checkpoint.read_bytes()[:-1] + b"?")
    with pytest.raises(IntegrityError):
        bundle(history.root, history.ledger, sha, tmp_path / "x.bundle")
    assert not (tmp_path / "x.bundle").exists()


def content_of(packed: Path) -> Content:
    with zipfile.ZipFile(packed) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def packed_anew(content: Content, target: Path, *, listed: bool = True, **changes) -> Path:
    """The bundle again, with a manifest that agrees unless told otherwise."""
    if listed:
        manifest = json.loads(content["manifest.json"])
        manifest["files"] = [
            {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in content.items()
            if name != "manifest.json"
        ]
        content = {**content, "manifest.json": json.dumps(manifest).encode()}
    with zipfile.ZipFile(target, "w", changes.get("how", zipfile.ZIP_STORED)) as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = changes.get("how", zipfile.ZIP_STORED)
            info.external_attr = changes.get("mode", 0) << 16
            archive.writestr(info, data)
    return target


def upwards(content: Content) -> Content:
    return {**content, "../../outside.txt": b"x"}


def absolute(content: Content) -> Content:
    return {**content, "/tmp/outside.txt": b"x"}


def into_git(content: Content) -> Content:
    return {**content, "runs/../.git/hooks/post-checkout": b"x"}


def into_the_source(content: Content) -> Content:
    return {**content, "registry/models/evil.yaml": b"x"}


def changed_checkpoint(content: Content) -> Content:
    (name,) = [name for name in content if name.endswith(".safetensors")]
    data = bytearray(content[name])
    data[-3] ^= 1
    return {**content, name: bytes(data)}


def changed_field(content: Content) -> Content:
    (name,) = [name for name in content if name.endswith("t2m/c/1/0/0/0/0")]
    data = bytearray(content[name])
    data[10] ^= 1
    return {**content, name: bytes(data)}


def changed_plan(content: Content) -> Content:
    """The forger changes the plan and its SHA-256, but cannot change the plan's digest."""
    name = f"runs/{little.TRAIN}/run.json"
    body = json.loads(content[name])
    body["documents"]["plan"] = body["documents"]["plan"].replace('"seed": 0', '"seed": 9')
    sha256 = hashlib.sha256(body["documents"]["plan"].encode()).hexdigest()
    body["run"]["documents"]["plan"] = sha256
    return {**content, name: json.dumps(body).encode()}


def without_checkpoint(content: Content) -> Content:
    return {name: data for name, data in content.items() if ".safetensors" not in name}


def without_run(content: Content) -> Content:
    manifest = json.loads(content["manifest.json"])
    manifest["runs"] = [little.SAMPLE]
    return {**content, "manifest.json": json.dumps(manifest).encode()}


def run_that_leads_away(content: Content) -> Content:
    manifest = json.loads(content["manifest.json"])
    manifest["runs"] = ["../../etc"]
    return {**content, "manifest.json": json.dumps(manifest).encode()}


def pickled_checkpoint(content: Content) -> Content:
    """A pickle with a record that agrees."""
    (name,) = [name for name in content if name.endswith(".safetensors")]
    data = b"\x80\x04cos\nsystem\n(S'true'\ntR."
    record = json.loads(content[f"{name}.reg.json"])
    record |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return {**content, name: data, f"{name}.reg.json": json.dumps(record).encode()}


def no_json(content: Content) -> Content:
    return {**content, "manifest.json": b"{"}


HOSTILE: list[tuple[Callable[[Content], Content], bool]] = [
    (upwards, True), (absolute, True), (into_git, True), (into_the_source, True),
    (changed_checkpoint, False), (changed_checkpoint, True), (changed_field, True),
    (changed_plan, True), (without_checkpoint, True), (without_run, True),
    (run_that_leads_away, True), (pickled_checkpoint, True), (no_json, False),
    (upwards, False),
]  # fmt: skip


@pytest.mark.parametrize("change, listed", HOSTILE, ids=lambda v: getattr(v, "__name__", str(v)))
def test_a_hostile_bundle_is_refused_and_leaves_nothing(packed, other, tmp_path, change, listed):
    made = packed_anew(change(content_of(packed)), tmp_path / "bad.bundle", listed=listed)
    refused(made, other, tmp_path)


def refused(made: Path, other: Workplace, tmp_path: Path) -> None:
    before = files(tmp_path)
    with pytest.raises(IntegrityError) as error:
        import_bundle(other.root, other.ledger, made)
    assert error.value.code == "REG-572"
    assert files(tmp_path) == before and other.ledger.head() == Head()


def test_a_zip_bomb_a_link_and_a_cut_file_are_refused(packed, other, tmp_path):
    content = content_of(packed)
    bomb = {**content, "forecasts/bomb": b"\0" * 10_000_000}
    made = packed_anew(bomb, tmp_path / "bomb.bundle", how=zipfile.ZIP_DEFLATED)
    assert made.stat().st_size < 1_000_000
    refused(made, other, tmp_path)
    refused(packed_anew(content, tmp_path / "link.bundle", mode=stat.S_IFLNK), other, tmp_path)
    cut = tmp_path / "cut.bundle"
    cut.write_bytes(packed.read_bytes()[:-200])
    refused(cut, other, tmp_path)


def test_a_link_in_the_workspace_cannot_lead_an_import_outside(packed, other, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (other.root / "forecasts").symlink_to(outside)
    with pytest.raises(IntegrityError, match="leads out"):
        import_bundle(other.root, other.ledger, packed)
    assert list(outside.iterdir()) == []


def test_a_run_that_is_recorded_differently_here_is_a_conflict(packed, other):
    import_bundle(other.root, other.ledger, packed)
    shutil.rmtree(other.root / "forecasts")
    (other.root / "runs" / little.TRAIN / "run.json").write_text("{}")
    with pytest.raises(Conflict):
        import_bundle(other.root, other.ledger, packed)


def test_the_commands(shared, other, tmp_path, reg_command):
    out = tmp_path / "x.bundle"
    pack = [*reg_command, "bundle", little.SAMPLE, "--out", str(out), "--json"]
    done = subprocess.run(pack, cwd=shared.root, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["missing"] == []
    take = [*reg_command, "import", str(out), "--json"]
    done = subprocess.run(take, cwd=other.root, capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)["artifacts"]) == 2
    out.write_bytes(out.read_bytes()[:-9])
    assert subprocess.run(take, cwd=other.root, capture_output=True, check=False).returncode == 5
