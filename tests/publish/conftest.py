"""A small workspace with one finished training, and a Hub on loopback."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

os.environ["HF_HUB_DISABLE_XET"] = "1"  # read when the Hub's library is first imported
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from local_hub import TOKEN, LocalHub

from small_workspace import make_workspace
from wxreg.artifacts.checkpoint_file import RawTensor, write_checkpoint
from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.layout import Layout
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


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    root = make_workspace(tmp_path / "lab")
    (root / "cards" / "templates").mkdir(parents=True)
    template = ROOT / "cards" / "templates" / "model.md.j2"
    (root / "cards" / "templates" / "model.md.j2").write_text(template.read_text())
    (root / "cards" / "parent-v1.yaml").write_text(CARD)
    library, ledger = Library(root), Ledger(root / ".reg" / "ledger.db")
    plan = resolve(library, Request(model="parent-v1", task="train")).plan
    path = Layout(root).checkpoint(RUN, "best")
    tensors = {"network.weight": RawTensor.of(np.arange(40, dtype="f4").reshape(8, 5))}
    body = plan.model_dump(mode="json", exclude_defaults=True)
    write_checkpoint(path, tensors, {"plan": body, "plan_digest": plan.digest()})
    text = json.dumps(plan.model_dump(mode="json"), sort_keys=True)
    details = {"model": "parent-v1", "scale": "mini", "version": "0.1.0", "commit": "c" * 40}
    ledger.begin(RunStart(RUN, "train", plan.digest(), "d" * 64, "e" * 64, details,
                          {plan.inputs.content: "inputs"}, {"plan": text}))  # fmt: skip
    ledger.running(RUN)
    sha256 = file_digest(path)
    outcome = {"checkpoint": sha256, "checkpoints": {"best": sha256}, "seconds": 1.5,
               "metrics": {"validation": 0.125, "best_step": 7}}  # fmt: skip
    ledger.end(RUN, "finished", outcome)
    return Lab(root, library, ledger)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with LocalHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr("time.sleep", lambda _seconds: None)  # the Hub's library backs off
        yield server
