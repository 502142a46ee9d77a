"""Publishing survives what a network and other people do, and says what it cannot mend."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from local_hub import TOKEN
from small_lab import RUN, train

from wxreg.artifacts.digests import FileDigest
from wxreg.artifacts.hub import Repository
from wxreg.errors import Conflict, ExternalError, Incompatible, IntegrityError, RegError
from wxreg.ledger import queries
from wxreg.library.loading import Library
from wxreg.publish.choosing import choose_training
from wxreg.publish.publishing import Published, publish
from wxreg.publish.release import build_release

REPO = Repository("my-lab/parent")


@pytest.fixture
def publish_again(lab, release) -> Callable[[], Published]:
    """One call of publishing; tests make it as often as a person would."""
    return lambda: publish(lab.ledger, lab.evidence, release, REPO)


def one_result(lab, hub, published: Published) -> None:
    repo = hub.repos[REPO.id]
    assert repo.tags == {"v1": published.commit}
    assert repo.refs["main"] == published.commit
    assert len(queries.runs(lab.ledger, kind="publish", state="finished")) == 1


def test_publish_is_one_commit_read_back_tagged_and_recorded(lab, hub, release, publish_again):
    published = publish_again()
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


def test_publishing_twice_is_one_result(lab, hub, publish_again, tmp_path):
    first = publish_again()
    anew = build_release(
        lab.library, lab.ledger, lab.evidence, tmp_path / "anew", repository=REPO.id
    )
    assert anew.files != release_files(first)  # the head of the log has moved
    assert publish(lab.ledger, lab.evidence, anew, REPO) == first
    one_result(lab, hub, first)


def release_files(published: Published) -> tuple[FileDigest, ...]:
    return tuple(sorted(published.files))


def test_a_connection_dropped_in_mid_upload_is_taken_up_again(lab, hub, publish_again):
    hub.fail("upload", "drop")
    one_result(lab, hub, publish_again())
    assert hub.seen.count("upload") == 2


@pytest.mark.parametrize("step", ["create", "upload", "commit", "tag"])
def test_a_server_that_stays_broken_leaves_nothing_tagged_and_a_retry_ends_well(
    lab, hub, publish_again, step
):
    hub.fail(step, 500, times=20)
    with pytest.raises(ExternalError) as caught:
        publish_again()
    assert caught.value.code == "REG-782"
    assert not (hub.repos[REPO.id].tags if REPO.id in hub.repos else {})
    hub.faults.clear()
    one_result(lab, hub, publish_again())


def test_a_commit_of_somebody_else_in_between_is_told(lab, hub, publish_again):
    hub.between("commit", lambda: hub.repos[REPO.id].add("main", {"theirs.txt": b"hello"}))
    with pytest.raises(Conflict) as caught:
        publish_again()
    assert caught.value.code == "REG-681"
    assert "theirs.txt" in hub.repos[REPO.id].commits[hub.repos[REPO.id].refs["main"]]
    one_result(lab, hub, publish_again())


@pytest.mark.parametrize("step", ["commit", "download"])
def test_a_corrupted_byte_is_found_at_read_back_and_not_tagged(lab, hub, publish_again, step):
    hub.fail(step, "corrupt", times=1 if step == "commit" else 50)
    with pytest.raises(IntegrityError) as caught:
        publish_again()
    assert caught.value.code == "REG-581"
    assert hub.repos[REPO.id].tags == {}
    hub.faults.clear()
    one_result(lab, hub, publish_again())


def test_wrong_token_missing_right_and_rate_limit_are_told_apart(
    lab, hub, publish_again, monkeypatch
):
    def code() -> tuple[str, str | None]:
        with pytest.raises(RegError) as caught:
            publish_again()
        return caught.value.code, caught.value.hint

    hub.rights = False
    assert code()[0] == "REG-781"
    hub.rights = True
    hub.fail("create", 429, times=20)
    assert code() == ("REG-783", "try again in 1 s")
    hub.faults.clear()
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert code()[0] == "REG-781"


def test_the_token_is_written_nowhere(lab, hub, publish_again, tmp_path, capfd, caplog):
    hub.rights = False
    with caplog.at_level("DEBUG"), pytest.raises(RegError) as caught:
        publish_again()
    hub.rights = True
    publish_again()
    told = "".join(capfd.readouterr()) + caplog.text + str(caught.value)
    assert TOKEN not in told
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


STEPS = ["create", "preupload", "upload", "commit", "download", "refs", "tag"]


@pytest.mark.parametrize("step", STEPS)
def test_killed_and_run_again_there_is_one_result(lab, hub, publish_again, step):
    """The Hub still carries out the step whose client dies."""
    words = ["--workspace", str(lab.root), "publish", "parent-v1", "--to", REPO.id]
    process = subprocess.Popen(
        [sys.executable, "-c", "from wxreg.cli.main import run; run()", *words]
    )
    hub.between(step, process.kill)
    assert process.wait(120) == -9
    assert step in hub.seen
    assert hub.repos[REPO.id].tags == {} or step == "tag"
    one_result(lab, hub, publish_again())
    assert len(hub.repos[REPO.id].commits) == 2  # the empty one and ours


def test_each_byte_is_hashed_once_before_it_is_sent(lab, hub, tmp_path, monkeypatch):
    counts: Counter[str] = Counter()
    hashing = hashlib.file_digest

    def counted(stream, *more):
        counts[str(stream.name)] += 1
        return hashing(stream, *more)

    def again(*_: object) -> None:
        raise AssertionError("the Hub's library hashes what we know")

    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", counted)
        patched.setattr("huggingface_hub.lfs.sha_fileobj", again)
        patched.setattr("wxreg.publish.publishing._read_back", lambda *_, **__: ((), ()))
        evidence = lab.evidence
        made = build_release(lab.library, lab.ledger, evidence, tmp_path / "made")
        publish(lab.ledger, evidence, made, REPO)
    assert counts.pop(str(evidence.checkpoint)) == 1  # and its copy in the release not at all
    assert set(counts.values()) == {1}
    assert len(counts) == len(made.files) - 1
    assert not any(name.endswith("model.safetensors") for name in counts)


def test_a_non_commercial_ancestor_under_a_permissive_licence_is_not_published(lab, tmp_path):
    version = next((lab.root / "catalog" / "alpha" / "versions").glob("*.yaml"))
    version.write_text(
        version.read_text()
        + "licence: {id: CC-BY-NC-4.0, name: Non-commercial, commercial: false}\n"
    )
    with pytest.raises(Incompatible) as caught:
        build_release(Library(lab.root), lab.ledger, lab.evidence, tmp_path / "x")
    assert caught.value.code == "REG-471" and "CC-BY-NC-4.0" in str(caught.value)
    assert not (tmp_path / "x").exists()
    model = lab.root / "registry" / "models" / "parent-v1.yaml"
    model.write_text(model.read_text().replace("commercial: true", "commercial: false"))
    build_release(Library(lab.root), lab.ledger, lab.evidence, tmp_path / "x")


def test_of_several_trainings_the_published_one_is_meant_or_one_must_be_named(
    lab, hub, publish_again, reg_command
):
    publish_again()
    train(lab.root, lab.ledger, "train-20261121-090909-bbbbbb", np.ones(40, dtype="f4"))
    choice = choose_training(lab.ledger, "parent-v1")
    assert (choice.run.id, choice.ground) == (RUN, "published")
    assert choice.others == ("train-20261121-090909-bbbbbb",)
    named = choose_training(lab.ledger, "parent-v1", "train-20261121-090909-bbbbbb")
    assert named.ground == "named" and named.others == ()


def test_a_first_release_of_several_trainings_is_refused_until_one_is_named(
    lab, hub, reg_command, tmp_path
):
    train(lab.root, lab.ledger, "train-20261121-090909-bbbbbb", np.ones(40, dtype="f4"))
    words = [*reg_command, "publish", "parent-v1", "--to", REPO.id, "--dry-run", "--out"]

    def status(*more: str) -> int:
        return subprocess.run([*words, *more], cwd=lab.root, check=False).returncode

    assert status(str(tmp_path / "a")) == 6
    assert status(str(tmp_path / "b"), "--run", RUN) == 0


def test_the_list_of_faults_names_every_test_of_one():
    """`faults.md` is what a person reads; it may not fall behind."""
    here = Path(__file__).parent
    told = set(re.findall(r"`(test_\w+)`", (here / "faults.md").read_text()))
    files = [*here.glob("test_p*.py"), *(here.parent / "audit").glob("test_*.py")]
    texts = "".join(file.read_text() for file in files)
    known = set(re.findall(r"^def (test_\w+)", texts, re.MULTILINE))
    assert told and told <= known, told - known
