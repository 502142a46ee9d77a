"""What a run happens on: code, installed packages, hardware, threads."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import torch

import wxreg
from wxreg.artifacts.digests import file_digest
from wxreg.canonical import digest

_PACKAGE = Path(wxreg.__file__).parent


@dataclass(frozen=True)
class Code:
    """The code that runs: a digest of every source file, and where git stands."""

    digest: str
    version: str
    commit: str | None
    patch: str
    """The uncommitted changes of the source folder; empty if there are none."""


@cache
def code() -> Code:
    """The identity of the installed package's source files."""
    files = {
        path.relative_to(_PACKAGE).as_posix(): file_digest(path)
        for path in sorted(_PACKAGE.rglob("*.py"))
    }
    commit = _git("rev-parse", "HEAD") or None
    patch = _git("diff", "HEAD", "--", ".") if commit else ""
    return Code(digest("code", files), wxreg.__version__, commit, patch)


def _git(*words: str) -> str:
    """The answer of git in the package's folder; empty where it is not in a checkout."""
    done = subprocess.run(
        ("git", *words), cwd=_PACKAGE, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


@cache
def installed() -> tuple[str, ...]:
    """Every installed distribution as ``name==version``, sorted.

    Folders inside a package do not count: setuptools, once something imports it, adds the one of
    its own copies of packages to ``sys.path``.
    """
    places = [place for place in sys.path if not _inside_a_package(Path(place))]
    found = distributions(path=places)
    return tuple(sorted({f"{one.metadata['Name'].lower()}=={one.version}" for one in found}))


def _inside_a_package(folder: Path) -> bool:
    return (folder.absolute().parent / "__init__.py").is_file()


@cache
def environment_digest() -> str:
    """The identity of the installed distributions and the interpreter."""
    return digest("environment", [platform.python_version(), *installed()])


@dataclass(frozen=True)
class Conditions:
    """What bits may depend on: equal conditions promise equal bits."""

    device: str
    threads: int
    world: int
    torch: str
    processor: str
    deterministic: bool
    member_batch: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the record of a run."""
        return asdict(self)


def conditions(
    device: str,
    world: int = 1,
    member_batch: int | None = None,
    *,
    deterministic: bool | None = None,
) -> Conditions:
    """The conditions of this process; ``deterministic`` where the run will set it itself."""
    return Conditions(
        device=device,
        threads=torch.get_num_threads(),
        world=world,
        torch=torch.__version__,
        processor=_processor(),
        deterministic=torch.are_deterministic_algorithms_enabled()
        if deterministic is None
        else deterministic,
        member_batch=member_batch,
    )


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def hardware() -> dict[str, Any]:
    """The machine, for the record."""
    return {
        "host": sha256(platform.node().encode()).hexdigest()[:12],
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
    }
