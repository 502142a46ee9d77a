"""A pulled model is exactly what was published, and works in an empty workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

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
def published(lab, hub, tmp_path):
    release = build_release(lab.library, lab.ledger, lab.evidence, tmp_path / "release")
    return publish(lab.ledger, lab.evidence, release, REPO)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    (tmp_path / "empty" / "registry").mkdir(parents=True)
    return tmp_path / "empty"


def pull(root: Path, revision: str = "v1"):
    with Ledger(root / ".reg" / "ledger.db") as ledger:
        return pull_model(root, ledger, REPO, revision)


def test_an_empty_workspace_can_resolve_and_knows_the_run(lab, published, empty):
    pulled = pull(empty)
    assert (pulled.commit, pulled.sha256) == (published.commit, lab.evidence.sha256)
    assert pulled.checkpoint == Layout(empty).checkpoint(pulled.run, "best")
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
