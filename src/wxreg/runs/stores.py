"""The prepared store of every side of a plan: fetched, verified and prepared when needed."""

from __future__ import annotations

from pathlib import Path

from wxreg.artifacts.layout import Layout
from wxreg.data.samples import LoaderSettings, View
from wxreg.leadtime import Duration
from wxreg.library.loading import Library
from wxreg.runs.datasets.preparing import prepared_store
from wxreg.specs.plan import SamplePlan, StorePlan, TrainPlan
from wxreg.specs.timeaxis import Period


def ready_stores(library: Library, *stores: StorePlan) -> tuple[Path, ...]:
    """A current canonical store for each side; one is made where there is none."""
    layout = Layout(library.root)
    return tuple(prepared_store(library, layout, store) for store in stores)


def loader_settings(
    plan: TrainPlan | SamplePlan,
    paths: tuple[Path, Path],
    leads: tuple[Duration, ...],
    *,
    periods: tuple[Period, ...] | None,
    truth: bool,
    one_lead: bool = False,
) -> LoaderSettings:
    """What one sample of a plan is made of."""
    inputs, targets = paths
    fixed = plan.inputs.statics or plan.targets.statics
    return LoaderSettings(
        inputs=View(inputs, plan.inputs.channels),
        targets=View(targets, plan.targets.channels),
        statics=View(targets, fixed) if fixed else None,
        history=tuple(-past.seconds for past in reversed(plan.history)),
        leads=tuple(lead.seconds for lead in leads),
        one_lead=one_lead,
        periods=periods,
        truth=truth,
        missing=plan.sampling.missing if isinstance(plan, SamplePlan) else "refuse",
    )
