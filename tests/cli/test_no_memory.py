"""Memory that runs out in any command is told in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FULL = """
import resource, sys
from wxreg.cli.main import run
try:
    run(["check"])
except SystemExit as done:
    assert done.code == 0
pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + 2**20, resource.RLIM_INFINITY))
filled = []
try:
    while True:
        filled.append(bytearray(2**16))
except MemoryError:
    del filled[-8:]
print("full")
run(["--json", "check"])
"""


def test_a_command_that_finds_no_room_says_so() -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", FULL]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=120)
    assert done.returncode == 7, done.stderr
    error = json.loads(done.stdout.partition("full\n")[2])["error"]
    assert error["code"] == "REG-760" and "more memory" in error["hint"]
    assert "Traceback" not in done.stderr
