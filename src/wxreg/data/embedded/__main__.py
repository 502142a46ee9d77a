"""Write the embedded world: `python -m wxreg.data.embedded OUT [--only hrrr]`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

DATASETS = ("hrrr", "sevir", "conus404", "era5", "cmip6")


def main(arguments: list[str] | None = None) -> None:
    """Write the datasets asked for (all by default) below the folder OUT."""
    parser = argparse.ArgumentParser(prog="python -m wxreg.data.embedded", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write into, as <dataset>/<version>/")
    parser.add_argument("--only", choices=DATASETS, action="append", help="one dataset; repeatable")
    options = parser.parse_args(arguments)
    for name in options.only or DATASETS:
        module = importlib.import_module(f"wxreg.data.embedded.{name}")
        for done in getattr(module, f"write_{name}")(options.out):
            sys.stderr.write(f"wrote {done}\n")


if __name__ == "__main__":
    main()
