"""Put the real output under every `$ reg …` line of README.md: python docs/render_readme.py"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_LONGEST = 12


def rendered(text: str) -> str:
    """The text with every console block run anew."""
    return _BLOCK.sub(lambda found: f"```console\n{_run_block(found[1])}```", text)


def _run_block(block: str) -> str:
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"$ {command}\n{output(command)}" for command in commands)


def output(command: str) -> str:
    """What a command prints, shortened after some lines."""
    program, *words = shlex.split(command)
    reg = Path(sys.executable).with_name(program)
    done = subprocess.run([str(reg), *words], cwd=ROOT, capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).rstrip().splitlines()
    shown = [line if len(line) <= 110 else f"{line[:107]}..." for line in lines]
    if len(shown) > _LONGEST:
        shown = [*shown[: _LONGEST - 1], "…"]
    return "".join(f"{line}\n" for line in shown)


if __name__ == "__main__":
    README.write_text(rendered(README.read_text(encoding="utf-8")), encoding="utf-8")
