"""What a run says of the machine it runs on."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SAY = "from wxreg.runs.environment import environment_digest, installed"


def _said(*lines: str) -> list[str]:
    code = "\n".join((*lines, _SAY, "print(environment_digest(), *installed(), sep='\\n')"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_environment_is_the_same_whatever_was_imported_before() -> None:
    pytest.importorskip("setuptools")
    plain = _said()
    assert any(line.startswith("torch==") for line in plain)
    assert _said("import setuptools") == plain
