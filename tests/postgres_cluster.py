"""Run the ledger's tests against a real PostgreSQL: ``python tests/postgres_cluster.py``.

Installs Debian's ``postgresql`` when no server is found (the only thing here that needs root),
starts a private cluster in a temporary folder as an unprivileged user, on a free port of the
loopback, and removes it afterwards.  Further arguments go to pytest: ``-m postgres`` adds the
slow tests.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    if server_programs() is None:
        install()
    programs = server_programs()
    if programs is None:
        print("no PostgreSQL server is installed; install it and try again", file=sys.stderr)
        return 1
    with cluster(programs) as url:
        tests = [sys.executable, "-m", "pytest", "tests/ledger", "-q"]
        tests += ["-m", "postgres and not slow", *arguments]
        environment = {**os.environ, "REG_TEST_POSTGRES": url}
        return subprocess.run(tests, cwd=ROOT, env=environment, check=False).returncode


def server_programs() -> Path | None:
    """The folder that holds initdb and pg_ctl, newest version first; Debian keeps it off PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*found, *([Path(on_path)] if on_path else [])]
    return candidates[0].resolve().parent if candidates else None


def install() -> None:
    """Install Debian's package, where that can be done."""
    if shutil.which("apt-get") is None:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    print("installing the system package postgresql", file=sys.stderr)
    subprocess.run([*sudo, "apt-get", "update", "-q"], check=True)
    subprocess.run(
        [*sudo, "apt-get", "install", "-q", "-y", "--no-install-recommends", "postgresql"],
        check=True,
    )


@contextmanager
def cluster(programs: Path) -> Iterator[str]:
    """A private server that lives as long as the block; yields its URL."""
    owner = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="reg-postgres-"))
    data = folder / "data"
    port = free_port()
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, owner)
        run_as(owner, [programs / "initdb", "-D", data, "-U", "reg", "-A", "trust", "-E", "UTF8"])
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        log = folder / "log"
        run_as(owner, [programs / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start"])
        try:
            yield f"postgresql://reg@127.0.0.1:{port}/postgres"
        finally:
            run_as(owner, [programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged() -> str:
    """Who runs the server: PostgreSQL refuses root."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid()).pw_name
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def run_as(owner: str, command: list[Path | str]) -> None:
    words = [str(word) for word in command]
    change = os.geteuid() == 0
    subprocess.run(
        words,
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        user=owner if change else None,
        group=pwd.getpwnam(owner).pw_gid if change else None,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
