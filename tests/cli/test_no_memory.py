"""Memory that runs out in any command is told in one sentence."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from wxreg.cli.failure import no_room

LITTLE = """
import resource, sys
import wxreg.audit.whence
from wxreg.cli.main import run
pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + 256 * 2**20, resource.RLIM_INFINITY))
run(["--json", "whence", sys.argv[1]])
"""


def test_a_command_that_finds_no_room_says_so(tmp_path: Path) -> None:
    path = tmp_path / "wide.nc"
    with h5py.File(path, "w") as made:
        chunks = (1, 100, 9_000)
        made.create_dataset("t2m", (1, 9_000, 9_000), "f4", chunks=chunks, compression="gzip")
    command = [sys.executable, "-c", LITTLE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 7, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "REG-760" and "more memory" in error["hint"]
    assert "309. MiB" in error["message"] and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory", "catalog/era5/versions"),
        RuntimeError("can't start new thread"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_each_way_to_say_that_memory_ran_out_is_known(error: Exception) -> None:
    told = no_room(error)
    assert told is not None and told.code == "REG-760" and told.exit_code == 7


@pytest.mark.parametrize("error", [OSError(errno.EIO, "I/O"), RuntimeError("x"), ImportError("y")])
def test_nothing_else_is_taken_for_it(error: Exception) -> None:
    assert no_room(error) is None
