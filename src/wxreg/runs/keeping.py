"""A kept checkpoint: pinned by DVC, and listed for people in the registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from wxreg.artifacts.dvc import CHECKPOINTS, pin_file
from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import write_text
from wxreg.errors import NotFound
from wxreg.ledger import queries
from wxreg.ledger.store import Ledger
from wxreg.runs.finding import chosen_checkpoint


@dataclass(frozen=True)
class Kept:
    """Where a kept checkpoint is written down."""

    sha256: str
    pin: str
    entry: str


def keep(root: Path, ledger: Ledger, run_id: str) -> Kept:
    """Pin the checkpoint of a finished training and list it under its model.

    Keeping twice is keeping once; what a kill left half done is finished.
    """
    record = queries.run(ledger, run_id)
    sha256 = record.outcome.get("checkpoint")
    if record.kind != "train" or not sha256:
        raise NotFound("REG-360", f"{run_id} made no checkpoint", hint="`reg list runs`")
    layout = Layout(root)
    pin = layout.pin(CHECKPOINTS, run_id)
    if not pin.exists():
        pin_file(root, _checkpoint(layout, run_id, chosen_checkpoint(record)), run_id)
    entry = root / "registry" / "checkpoints" / f"{record.details['model']}.yaml"
    known = yaml.safe_load(entry.read_text(encoding="utf-8")) if entry.exists() else None
    listed = {item["sha256"]: item for item in (known or {}).get("checkpoints", [])}
    listed[sha256] = {
        "sha256": sha256,
        "run": run_id,
        "plan": record.plan,
        "data": record.details.get("data"),
        "scale": record.details.get("scale"),
    }
    entry.parent.mkdir(parents=True, exist_ok=True)
    body = {"spec": 1, "model": record.details["model"], "checkpoints": list(listed.values())}
    write_text(entry, yaml.safe_dump(body, sort_keys=False))
    return Kept(str(sha256), layout.relative(pin), layout.relative(entry))


def _checkpoint(layout: Layout, run_id: str, name: str) -> Path:
    path = layout.checkpoint(run_id, name)
    if not path.is_file():
        raise NotFound(
            "REG-301",
            f"the checkpoint of {run_id} is gone",
            where=str(path),
            hint="`reg train --again` makes it anew",
        )
    return path
