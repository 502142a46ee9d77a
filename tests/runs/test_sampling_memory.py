"""Memory does not grow with members or leads: a forecast streams to its store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from noisy_world import NoisyWorld
from tiny_world import environment

SCRIPT = """
import json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[2])
from noisy_world import NoisyWorld
from tiny_world import World
from wxreg.leadtime import parse_leads
from wxreg.runs.training.train import Trained
root, checkpoint, members, leads = json.loads(sys.argv[1])
made = Trained("train-1", "finished", Path(checkpoint), "", {})
world = NoisyWorld(World(Path(root)), "noisy-v1", made)
asked = {"members": members, "leads": parse_leads(leads)}
done = world.sample(world.plan("sampling.member_batch=10", seed=members, **asked))
status = Path("/proc/self/status").read_text()  # rusage would count the parent's peak too
print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


def peak_mib(noisy: NoisyWorld, members: int, leads: str) -> float:
    """The peak resident memory of a process that samples so much."""
    what = json.dumps([str(noisy.world.root), str(noisy.trained.checkpoint), members, leads])
    command = [sys.executable, "-c", SCRIPT, what, json.dumps(sys.path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout.splitlines()[-1]))


LINUX = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells the peak"
)


def grown_mib(noisy: NoisyWorld, members: int, leads: str) -> float:
    """How much more the peak is than that of ten members and one lead."""
    few, many = peak_mib(noisy, 10, "1h"), peak_mib(noisy, members, leads)
    print(f"10 members: {few:.0f} MiB; {members} members, {leads}: {many:.0f} MiB")
    return many - few


@LINUX
def test_the_peak_does_not_grow_with_members_and_leads(noisy: NoisyWorld) -> None:
    assert grown_mib(noisy, 40, "1h..6h/1h") < 16


@LINUX
@pytest.mark.slow
def test_the_peak_is_flat_over_forty_times_the_members(noisy: NoisyWorld) -> None:
    assert grown_mib(noisy, 400, "1h") < 16
