"""Which process executes a run, and whether that very process still lives.

A process number alone proves nothing: numbers are reused, restart at boot, and repeat in every
container and on every host that shares a ledger.  What cannot be judged from here is left alone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import cache
from pathlib import Path

from wxreg.ledger.records import Owner


def this_process() -> Owner:
    """The identity of the calling process."""
    pid = os.getpid()
    return Owner(_host(), _boot(), _namespace(), pid, _started(pid) or "")


def is_dead(owner: Owner) -> bool:
    """True only when the process certainly no longer runs."""
    if owner.host != _host():
        return False
    if owner.boot != _boot():
        return True
    if owner.namespace != _namespace():
        return False
    return _started(owner.pid) != owner.started


@cache
def _host() -> str:
    machine = _read(Path("/etc/machine-id")).strip()
    mark = hashlib.sha256(f"wxreg {machine}".encode()).hexdigest()[:12] if machine else ""
    return f"{platform.node()}/{mark}"


@cache
def _boot() -> str:
    return _read(Path("/proc/sys/kernel/random/boot_id")).strip()


@cache
def _namespace() -> str:
    place = Path("/proc/self/ns/pid")
    return str(place.readlink()) if place.is_symlink() else ""


def _started(pid: int) -> str | None:
    """When a process started, in the system's own words; None where there is no such process."""
    if Path("/proc/self/stat").exists():
        stat = _read(Path(f"/proc/{pid}/stat"))
        # The name of the command is in brackets and may itself hold spaces and brackets.
        fields = stat.rpartition(")")[2].split()
        return None if not fields or fields[0] == "Z" else fields[19]
    listing = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listing.stdout.strip() or None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""
