"""Write docs/errors.md from the table of codes: python docs/render_errors.py"""

from __future__ import annotations

from pathlib import Path

from wxreg.errors import CODES

HEAD = """# Error codes

Every error has a stable code.  The hundreds digit is the exit status and says what to do:
2 retype the command, 3 pick another name, 4 change the request, 5 stop trusting these bytes,
6 wait or choose another target, 7 look outside, 8 make room.  Anything unforeseen exits with 1.
With `--json` an error is `{"error": {"code", "message", "hint"}}` on standard output.

| code | meaning |
|---|---|
"""


def text() -> str:
    """The page."""
    rows = sorted(CODES.items())
    return HEAD + "".join(f"| {code} | {meaning} |\n" for code, meaning in rows)


if __name__ == "__main__":
    Path(__file__).with_name("errors.md").write_text(text(), encoding="utf-8")
