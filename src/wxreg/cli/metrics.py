"""The metrics that a protocol may name, as rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any


def metric_rows() -> list[dict[str, Any]]:
    """Every metric with its definition, units, direction and source."""
    from wxreg.scores.catalogue import METRICS

    return [asdict(metric) for metric in METRICS.values()]
