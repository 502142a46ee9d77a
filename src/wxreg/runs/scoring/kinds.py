"""Which statistics are computed, and how the state of each is laid out."""

from __future__ import annotations

from typing import Final

from wxreg.runs.scoring.cellwise import CELLWISE
from wxreg.runs.scoring.statistics import BUILDERS

JOINT: Final = frozenset({"vector", "event", "constraint"})
"""Statistics that look at several variables together."""
PER_MEMBER: Final = frozenset({"members", "mean", "anomaly", "mean_anomaly"})
"""Statistics whose states have an axis of members after that of atoms."""
BINNED: Final = PER_MEMBER | {"ensemble", "vector", "event", "loglik_parametric", *CELLWISE}
"""Statistics whose states have a leading axis of atoms of bins."""
ANOMALIES: Final = frozenset({"anomaly", "mean_anomaly"})
"""Statistics that need a climatology."""
SINGLE: Final = frozenset(
    {*PER_MEMBER, "ensemble", "pattern", "mean_pattern", "field_vector", *CELLWISE, *BUILDERS}
)
"""Statistics of one field of one channel."""
COMPUTED: Final = SINGLE | JOINT | {"initiation", "climate", "loglik_parametric"}
"""Every statistic that ``reg evaluate`` computes."""
