"""Baselines that keep a trend read the whole period that they correct before they forecast it."""

from __future__ import annotations

from wxreg.data.batches import BatchSource
from wxreg.errors import Incompatible
from wxreg.models.baselines.quantile_mapping import QuantileMapping
from wxreg.models.forecaster import Forecaster
from wxreg.runs.training.fitting import in_order
from wxreg.specs.plan import SamplePlan

_AT_ONCE = 16


def observe_period(forecaster: Forecaster, source: BatchSource, plan: SamplePlan) -> None:
    """Show a trend-preserving baseline all inputs of the plan's period; others need nothing.

    The whole split is read, however few of its initial times are forecast, so a forecast does
    not depend on which others were asked for.
    """
    if not isinstance(forecaster, QuantileMapping) or not forecaster.preserves_trend:
        return
    if not plan.starts.periods:
        raise Incompatible(
            "REG-461",
            "a trend cannot be measured on single initial times",
            hint="ask for a split with --split, and for fewer of its times with --limit",
        )
    forecaster.observe(in_order(source, _AT_ONCE))
