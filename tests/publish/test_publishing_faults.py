"""Publishing survives what a network and other people do, and says what it cannot mend."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from local_hub import TOKEN

from wxreg.artifacts.hub import Repository
from wxreg.errors import Conflict, ExternalError, IntegrityError, RegError
from wxreg.ledger import queries
from wxreg.publish.publishing import Published, publish
from wxreg.publish.release import build_release

REPO = Repository("my-lab/parent")


def release_of(lab, tmp_path: Path, name: str = "release"):
    return build_release(lab.library, lab.ledger, lab.evidence, tmp_path / name)


def publish_again(lab, tmp_path: Path) -> Published:
    folder = f"again-{len(list(tmp_path.iterdir()))}"
    return publish(lab.ledger, lab.evidence, release_of(lab, tmp_path, folder), REPO)


def one_result(lab, hub, published: Published) -> None:
    repo = hub.repos[REPO.id]
    assert repo.tags == {"v1": published.commit}
    assert repo.refs["main"] == published.commit
    assert len(queries.runs(lab.ledger, kind="publish", state="finished")) == 1


def test_publish_is_one_commit_read_back_tagged_and_recorded(lab, hub, tmp_path):
    release = release_of(lab, tmp_path)
    published = publish(lab.ledger, lab.evidence, release, REPO)
    one_result(lab, hub, published)
    repo = hub.repos[REPO.id]
    assert len(repo.commits) == 2
    assert {file.path for file in published.files} == set(repo.commits[published.commit]) - {
        ".gitattributes"
    }
    assert published.files == release.files
    (run,) = queries.runs(lab.ledger, kind="publish")
    assert run.outcome["commit"] == published.commit
    assert hub.seen.index("tag") > max(i for i, step in enumerate(hub.seen) if step == "download")


def test_publishing_twice_is_one_result(lab, hub, tmp_path):
    first = publish_again(lab, tmp_path)
    assert publish_again(lab, tmp_path) == first
    one_result(lab, hub, first)


def test_a_connection_dropped_in_mid_upload_is_taken_up_again(lab, hub, tmp_path):
    hub.fail("upload", "drop")
    one_result(lab, hub, publish_again(lab, tmp_path))
    assert hub.seen.count("upload") == 2


@pytest.mark.parametrize("step", ["create", "upload", "commit", "tag"])
def test_a_server_that_stays_broken_leaves_nothing_tagged_and_a_retry_ends_well(
    lab, hub, tmp_path, step
):
    hub.fail(step, 500, times=20)
    with pytest.raises(ExternalError) as caught:
        publish_again(lab, tmp_path)
    assert caught.value.code == "REG-782"
    assert not (hub.repos[REPO.id].tags if REPO.id in hub.repos else {})
    hub.faults.clear()
    one_result(lab, hub, publish_again(lab, tmp_path))


def test_a_commit_of_somebody_else_in_between_is_told(lab, hub, tmp_path):
    hub.between("commit", lambda: hub.repos[REPO.id].add("main", {"theirs.txt": b"hello"}))
    with pytest.raises(Conflict) as caught:
        publish_again(lab, tmp_path)
    assert caught.value.code == "REG-681"
    assert "theirs.txt" in hub.repos[REPO.id].commits[hub.repos[REPO.id].refs["main"]]
    one_result(lab, hub, publish_again(lab, tmp_path))


@pytest.mark.parametrize("step", ["commit", "download"])
def test_a_corrupted_byte_is_found_at_read_back_and_not_tagged(lab, hub, tmp_path, step):
    hub.fail(step, "corrupt", times=1 if step == "commit" else 50)
    with pytest.raises(IntegrityError) as caught:
        publish_again(lab, tmp_path)
    assert caught.value.code == "REG-581"
    assert hub.repos[REPO.id].tags == {}
    hub.faults.clear()
    one_result(lab, hub, publish_again(lab, tmp_path))


def test_wrong_token_missing_right_and_rate_limit_are_told_apart(lab, hub, tmp_path, monkeypatch):
    def code() -> tuple[str, str | None]:
        with pytest.raises(RegError) as caught:
            publish_again(lab, tmp_path)
        return caught.value.code, caught.value.hint

    hub.rights = False
    assert code()[0] == "REG-781"
    hub.rights = True
    hub.fail("create", 429, times=20)
    assert code() == ("REG-783", "try again in 1 s")
    hub.faults.clear()
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert code()[0] == "REG-781"


def test_the_token_is_written_nowhere(lab, hub, tmp_path, capfd, caplog):
    hub.rights = False
    with caplog.at_level("DEBUG"), pytest.raises(RegError) as caught:
        publish_again(lab, tmp_path)
    hub.rights = True
    publish_again(lab, tmp_path)
    told = "".join(capfd.readouterr()) + caplog.text + str(caught.value)
    assert TOKEN not in told
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("step", ["upload", "refs"])
def test_killed_and_run_again_there_is_one_result(lab, hub, tmp_path, step):
    words = ["--workspace", str(lab.root), "publish", "parent-v1", "--to", REPO.id]
    process = subprocess.Popen(
        [sys.executable, "-c", "from wxreg.cli.main import run; run()", *words]
    )
    hub.between(step, process.kill)
    assert process.wait(60) == -9
    assert step in hub.seen
    assert hub.repos[REPO.id].tags == {}
    one_result(lab, hub, publish_again(lab, tmp_path))
