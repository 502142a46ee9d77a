"""``reg audit``: everything that a workspace and its ledger say, held against what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from wxreg.audit.check_bytes import bytes_findings
from wxreg.audit.check_lineage import lineage_findings
from wxreg.audit.check_log import log_findings
from wxreg.audit.check_pipeline import pipeline_findings
from wxreg.audit.check_plans import plan_findings
from wxreg.audit.check_terms import terms_findings
from wxreg.audit.check_versions import version_findings
from wxreg.audit.inventory import Inventory
from wxreg.audit.orphans import orphan_findings
from wxreg.findings import Finding
from wxreg.ledger.store import Ledger

Level = Literal["quick", "full"]
Check = Callable[[Inventory], Iterator[Finding]]

CHECKS: Final[dict[str, Check]] = {
    "log": log_findings,
    "bytes": bytes_findings,
    "plans": plan_findings,
    "lineage": lineage_findings,
    "versions": version_findings,
    "pipeline": pipeline_findings,
    "orphans": orphan_findings,
    "terms": terms_findings,
}
"""What is checked, in order.

``quick`` compares sizes and times, the links of the log, and the graph; ``full`` reads every
byte, replays the log and recomputes every plan.
"""


@dataclass(frozen=True)
class Audited:
    """What an audit found; ``checked`` counts what it looked at."""

    findings: tuple[Finding, ...]
    checked: Mapping[str, int | str]

    @property
    def whole(self) -> bool:
        """Whether nothing speaks against the integrity of anything."""
        return not any(
            found.severity == "error" and found.code.startswith("REG-5") for found in self.findings
        )


def audit(root: Path, ledger: Ledger, level: Level = "quick") -> Audited:
    """Check the whole workspace and report everything at once."""
    inventory = Inventory.of(root, ledger, full=level == "full")
    findings = [found for check in CHECKS.values() for found in check(inventory)]
    checked: dict[str, int | str] = {
        "level": level,
        "events": inventory.head.sequence,
        "runs": len(inventory.runs),
        "artifacts": len(inventory.artifacts),
        "edges": len(inventory.edges),
    }
    return Audited(tuple(findings), checked)
