"""Every command: where it is implemented and what it is for, readable without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Row:
    """One command of ``reg``."""

    name: str
    summary: str
    chapter: str
    module: str = ""

    @property
    def path(self) -> str:
        """The module that implements it."""
        return f"wxreg.cli.{self.module or self.name}"


_LOOK: Final = "Look around"
_RUN: Final = "Run"
_DATA: Final = "Data"
_TRUST: Final = "Trust and share"
_HOUSE: Final = "Workspace"

COMMANDS: Final = (
    Row("list", "List datasets, models, protocols, cases, runs or metrics", _LOOK),
    Row("show", "Show one entry, fully expanded", _LOOK),
    Row("resolve", "Turn a model, dataset and lead time into one pinned plan", _LOOK),
    Row("matrix", "Show which model, dataset and lead fit together", _LOOK),
    Row("diff", "Explain the difference of two models, plans or runs", _LOOK),
    Row("pull", "Fetch an exact dataset version, or a published model", _DATA),
    Row("data", "Prepare, add, fetch and check datasets", _DATA),
    Row("stats", "Compute, verify and show normalisation statistics", _DATA),
    Row("train", "Train a model: one plan becomes one sealed checkpoint", _RUN),
    Row("sample", "Make a sealed forecast from a checkpoint", _RUN),
    Row("evaluate", "Score forecasts against the truth and against baselines", _RUN),
    Row("scores", "List evaluations, and compare those of one protocol", _RUN),
    Row("report", "Write one page with the tables and figures of an evaluation", _RUN),
    Row("reproduce", "Run a plan again and say whether the result is the same", _RUN),
    Row("keep", "Pin the checkpoint of a run with DVC", _RUN),
    Row("whence", "Say which checkpoint, data and code made a file, and prove it", _TRUST),
    Row("audit", "Check every artifact, plan, pin and event of the workspace", _TRUST),
    Row("impact", "List everything that came from an artifact, run or data version", _TRUST),
    Row("gc", "Free space without cutting a chain", _TRUST),
    Row("export", "Write the chain of an artifact as an RO-Crate or W3C PROV", _TRUST),
    Row("bundle", "Pack an artifact with its chain into one file", _TRUST),
    Row("import", "Verify a bundle of another lab and take it in", _TRUST, "import_"),
    Row("card", "Render the card of a model or dataset from verified records only", _TRUST),
    Row("sign", "Sign a file, a folder or the head of the log, or verify a signature", _TRUST),
    Row("publish", "Publish a model on the Hub, or as a folder", _TRUST),
    Row("check", "Check every file of the catalog and the registry", _HOUSE),
    Row("schema", "Print the JSON Schema of a kind of file", _HOUSE),
    Row("init", "Make a new workspace", _HOUSE),
    Row("doctor", "Say what is installed, what is missing, and for what", _HOUSE),
    Row("log", "Verify, print or rebuild the ledger's log", _HOUSE),
)
"""In the order that help shows them."""

BY_NAME: Final = {row.name: row for row in COMMANDS}
