"""An S3 remote, against a real server on the loopback (moto)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from wxreg.artifacts.dvc import add_version, pull_version, push_version
from wxreg.artifacts.layout import Layout
from wxreg.errors import ExternalError, IntegrityError

pytest.importorskip("dvc_s3")
KEYS = {"aws_access_key_id": "reg", "aws_secret_access_key": "reg", "region_name": "us-east-1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def workspace(root: Path, endpoint: str) -> Path:
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text(
        "[core]\n    remote = lab\n    no_scm = true\n    analytics = false\n"
        "['remote \"lab\"']\n    url = s3://released/wxreg\n    verify = true\n"
        f"    endpointurl = {endpoint}\n    access_key_id = reg\n    secret_access_key = reg\n"
    )
    folder = Layout(root).version("hrrr", "v1")
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f"f{number}").write_bytes(str(number).encode() * 100)
    return root


def test_a_version_goes_to_s3_and_comes_back_whole(tmp_path: Path, endpoint: str) -> None:
    client = boto3.client("s3", endpoint_url=endpoint, **KEYS)
    client.create_bucket(Bucket="released")
    root = workspace(tmp_path / "w", endpoint)
    digest = add_version(root, "hrrr", "v1").digest
    assert push_version(root, "hrrr", "v1") == 5
    for folder in (Layout(root).version("hrrr", "v1"), root / ".dvc" / "cache"):
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    assert pull_version(root, "hrrr", "v1", digest).changed
    assert not pull_version(root, "hrrr", "v1", digest).changed

    listed = client.list_objects_v2(Bucket="released")["Contents"]
    bad = next(entry["Key"] for entry in listed if not entry["Key"].endswith(".dir"))
    client.put_object(Bucket="released", Key=bad, Body=b"tampered")
    for folder in (Layout(root).version("hrrr", "v1"), root / ".dvc" / "cache"):
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    with pytest.raises(IntegrityError, match=r"1 files are missing or damaged"):
        pull_version(root, "hrrr", "v1", digest)


def test_a_server_that_is_away_is_an_external_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    root = workspace(tmp_path / "w", f"http://127.0.0.1:{free_port()}")
    add_version(root, "hrrr", "v1")
    with pytest.raises(ExternalError) as refused:
        push_version(root, "hrrr", "v1")
    assert refused.value.exit_code == 7
