"""A pulled model is exactly what was published, and works in an empty workspace."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from signing_keys import key_pair

from wxreg.artifacts.hub import Repository
from wxreg.artifacts.layout import Layout
from wxreg.errors import Conflict, IntegrityError, NotFound
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.publish.publishing import publish
from wxreg.publish.pulling import pull_model
from wxreg.publish.release import build_release
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import resolve

REPO = Repository("my-lab/parent")


@pytest.fixture
def published(lab, hub, release):
    return publish(lab.ledger, lab.evidence, release, REPO)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    (tmp_path / "empty" / "registry").mkdir(parents=True)
    return tmp_path / "empty"


def pull(root: Path, revision: str = "v1", key: Path | None = None):
    with Ledger(root / ".reg" / "ledger.db") as ledger:
        return pull_model(root, ledger, REPO, revision, key)


def test_an_empty_workspace_can_resolve_and_knows_the_run(lab, published, empty):
    pulled = pull(empty)
    assert (pulled.commit, pulled.sha256) == (published.commit, lab.evidence.sha256)
    assert pulled.checkpoint == Layout(empty).checkpoint(pulled.run, "best")
    assert pulled.signature == "none"
    assert pulled.checkpoint.read_bytes() == lab.evidence.checkpoint.read_bytes()
    plan = resolve(Library(empty), Request(model="parent-v1", task="train")).plan
    assert plan.digest() == lab.evidence.plan.digest()
    with Ledger(empty / ".reg" / "ledger.db") as ledger:
        assert queries.run(ledger, pulled.run).outcome["checkpoint"] == pulled.sha256
        assert [a.path for a in queries.artifacts_of(ledger, pulled.sha256)]
    assert pull(empty).entries == ()


def test_a_moved_branch_does_not_change_what_a_tag_gives(hub, published, empty):
    repo = hub.repos[REPO.id]
    repo.add("main", {**repo.commits[published.commit], "model.safetensors": b"other"})
    assert pull(empty, "v1").commit == published.commit
    with pytest.raises(NotFound):
        pull(empty, "v9")


@pytest.mark.parametrize(
    ("name", "how"),
    [("model.safetensors", "flip"), ("model.safetensors", "cut"), ("run.json", "flip")],
)
def test_a_tampered_file_is_refused_and_nothing_enters(hub, published, empty, name, how):
    tree = hub.repos[REPO.id].commits[published.commit]
    data = tree[name]
    tree[name] = data[:-3] if how == "cut" else data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
    with pytest.raises(IntegrityError) as caught:
        pull(empty)
    assert caught.value.code == "REG-581"
    assert {path.name for path in empty.iterdir()} == {"registry", ".reg"}


@pytest.mark.parametrize("name", ["weights.pkl", "deep/A.PT"])
def test_a_pickle_in_the_repository_is_refused_before_anything_is_fetched(
    hub, published, empty, name
):
    hub.repos[REPO.id].commits[published.commit][name] = b"cos\nsystem\n"
    hub.seen.clear()
    with pytest.raises(IntegrityError) as caught:
        pull(empty)
    assert caught.value.code == "REG-582"
    assert "download" not in hub.seen


def test_files_of_ones_own_are_never_overwritten(published, empty):
    (empty / "catalog").mkdir()
    (empty / "catalog" / "lexicon.yaml").write_text("mine")
    with pytest.raises(Conflict) as caught:
        pull(empty)
    assert caught.value.code == "REG-683"
    assert (empty / "catalog" / "lexicon.yaml").read_text() == "mine"


def test_a_lexicon_that_says_nothing_else_is_extended_or_kept(lab, published, empty):
    """`reg init --bare` leaves one without variables; a larger one of ours stays as it is."""
    mine = empty / "catalog" / "lexicon.yaml"
    mine.parent.mkdir()
    mine.write_text("spec: 1\nvariables: []\n")
    assert "catalog/lexicon.yaml" in pull(empty).entries
    theirs = (lab.root / "catalog" / "lexicon.yaml").read_text()
    assert mine.read_text() == theirs
    larger = theirs.rstrip() + "\n  - {id: mine, long_name: My own, units: K}\n"
    mine.write_text(larger)
    assert pull(empty).entries == () and mine.read_text() == larger


def test_a_pull_that_was_killed_before_the_ledger_is_repeated(published, empty, monkeypatch):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("wxreg.publish.pulling.restore_artifact", killed)
        with pytest.raises(KeyboardInterrupt):
            pull(empty)
    pulled = pull(empty)
    with Ledger(empty / ".reg" / "ledger.db") as ledger:
        assert len(queries.artifacts_of(ledger, pulled.sha256)) == 1
        assert len(queries.runs(ledger)) == 1


@pytest.fixture
def signed(lab, hub, tmp_path):
    """A release whose lineage our key signed, and the public key."""
    private, public = key_pair(tmp_path, "lab")
    made = build_release(lab.library, lab.ledger, lab.evidence, tmp_path / "signed", private)
    assert "lineage.json.sig" in made.paths
    return publish(lab.ledger, lab.evidence, made, REPO), public


def test_a_signature_goes_along_and_is_verified_on_arrival(hub, signed, empty, tmp_path):
    published, public = signed
    assert "lineage.json.sig" in hub.repos[REPO.id].commits[published.commit]
    assert pull(empty).signature == "unchecked"
    pulled = pull(empty, key=public)
    assert (pulled.commit, pulled.signature) == (published.commit, "verified")
    with pytest.raises(IntegrityError) as caught:
        pull(empty, key=key_pair(tmp_path, "somebody")[1])
    assert caught.value.code == "REG-573"


def forged(tree: dict[str, bytes]) -> None:
    """Other weights, with a lineage that agrees with them: only the signature can tell."""
    weights = tree["model.safetensors"]
    tree["model.safetensors"] = weights[:-1] + bytes([weights[-1] ^ 1])
    old, new = (hashlib.sha256(w).hexdigest() for w in (weights, tree["model.safetensors"]))
    for name in ("lineage.json", "run.json"):
        tree[name] = tree[name].replace(old.encode(), new.encode())
    run = hashlib.sha256(tree["run.json"]).hexdigest()
    body = json.loads(tree["lineage.json"])
    body["files"]["run.json"] = run
    tree["lineage.json"] = json.dumps(body).encode()


def torn(tree: dict[str, bytes]) -> None:
    tree["lineage.json.sig"] = tree["lineage.json.sig"][:-40]


def unsigned(tree: dict[str, bytes]) -> None:
    del tree["lineage.json.sig"]


@pytest.mark.parametrize("change", [forged, torn, unsigned], ids=lambda v: v.__name__)
def test_what_the_key_did_not_sign_is_refused(hub, signed, empty, change):
    published, public = signed
    change(hub.repos[REPO.id].commits[published.commit])
    with pytest.raises((IntegrityError, NotFound)):
        pull(empty, key=public)
    assert not (empty / "runs").exists() and not (empty / "catalog").exists()
    if change is forged:
        assert pull(empty).sha256 != ""  # without the key nothing shows it
