"""A small workspace with one finished training, made without training."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from small_workspace import make_workspace
from wxreg.artifacts.checkpoint_file import RawTensor, write_checkpoint
from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import Seal, seal
from wxreg.audit.restoring import restore_artifact
from wxreg.ledger.records import RunStart
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.publish.evidence import Evidence, gather
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import resolve

ROOT = Path(__file__).parents[2]
RUN = "train-20261121-010101-aaaaaa"
CARD = """spec: 1
model: parent-v1
intended: A test of publishing.
unsuited: anything else.
limits: [It was never trained.]
ethics: None.
corrections: [{claim: It works., built: It does not.}]
"""


@dataclass(frozen=True)
class Lab:
    root: Path
    library: Library
    ledger: Ledger

    @property
    def evidence(self) -> Evidence:
        return gather(self.library, self.ledger, "parent-v1")


def make_lab(root: Path) -> None:
    """The workspace with its ledger, made once: a database on a disk takes its time."""
    make_workspace(root)
    folder = root / "cards" / "templates"
    folder.mkdir(parents=True)
    for name in ("model.md.j2", "dataset.md.j2"):
        (folder / name).write_text((ROOT / "cards" / "templates" / name).read_text())
    (root / "cards" / "parent-v1.yaml").write_text(CARD)
    with Ledger(root / ".reg" / "ledger.db") as ledger:
        train(root, ledger, RUN, np.arange(40, dtype="f4"))


def train(root: Path, ledger: Ledger, run: str, weights: np.ndarray) -> None:
    """A finished training with its checkpoint, as the ledger keeps them."""
    plan = resolve(Library(root), Request(model="parent-v1", task="train")).plan
    path = Layout(root).checkpoint(run, "best")
    tensors = {"network.weight": RawTensor.of(weights.reshape(8, 5))}
    body = plan.model_dump(mode="json", exclude_defaults=True)
    write_checkpoint(path, tensors, {"plan": body, "plan_digest": plan.digest()})
    text = json.dumps(plan.model_dump(mode="json"), sort_keys=True)
    details = {"model": "parent-v1", "scale": "mini", "version": "0.1.0", "commit": "c" * 40,
               "data": plan.inputs.dataset}  # fmt: skip
    ledger.begin(RunStart(run, "train", plan.digest(), "d" * 64, "e" * 64, details,
                          {plan.inputs.content: "inputs"}, {"plan": text}))  # fmt: skip
    ledger.running(run)
    sha256 = file_digest(path)
    head = ledger.head()
    record = Seal("checkpoint", sha256, path.stat().st_size, "2026-11-21T00:00:00+00:00", run,
                  (head.sequence, head.hash))  # fmt: skip
    seal(path, record)
    restore_artifact(root, ledger, path, record)
    outcome = {"checkpoint": sha256, "checkpoints": {"best": sha256}, "seconds": 1.5,
               "metrics": {"validation": 0.125, "best_step": 7}}  # fmt: skip
    ledger.end(run, "finished", outcome)
