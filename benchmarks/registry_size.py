"""Resolving and listing in a registry of 10,000 models against one of 10."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Figure, paired, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from small_workspace import MODEL, make_workspace  # noqa: E402
from wxreg.library.loading import Library  # noqa: E402
from wxreg.resolve.request import Request  # noqa: E402
from wxreg.resolve.resolver import resolve  # noqa: E402

REG = str(Path(sys.executable).with_name("reg"))


def filled(root: Path, count: int) -> Path:
    make_workspace(root)
    for number in range(count):
        name = f"extra-{number:05d}-v1"
        (root / "registry/models" / f"{name}.yaml").write_text(MODEL.format(id=name))
    return root


def listed(root: Path) -> None:
    words = (REG, "list", "models", "--workspace", str(root))
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)


def main() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        large, small = filled(Path(folder) / "large", 10_000), filled(Path(folder) / "small", 10)
        for root in (large, small):
            resolve(Library(root), Request("parent-v1"))
            listed(root)
        resolving = paired(
            lambda: resolve(Library(large), Request("parent-v1")),
            lambda: resolve(Library(small), Request("parent-v1")),
            repeats=15,
            clock="cpu",
        )
        listing = paired(lambda: listed(large), lambda: listed(small), repeats=5, clock="cpu")
    return [
        Figure("resolve_10000_entries", resolving.ratio, 1.3, resolving.ours, resolving.other, "s"),
        Figure("list_10000_entries", listing.ratio, 4.0, listing.ours, listing.other, "s"),
    ]


if __name__ == "__main__":
    report(main())
