"""Declared cases resolve to the initial times that an independent reading of the data gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from entry_worlds import EntryWorld

from wxreg.data.batches import BatchSource, WindowBatch
from wxreg.data.windows import Start, period_seconds
from wxreg.errors import Incompatible
from wxreg.models.noise import MemberNoise
from wxreg.resolve.request import Request
from wxreg.resolve.resolver import Resolved, resolve
from wxreg.runs.comparing import compare_forecasts
from wxreg.runs.evaluating.baselines import baseline_plan
from wxreg.runs.evaluating.fields import ForecastFields, TruthFields
from wxreg.runs.reproducing import reproduce
from wxreg.runs.sampling.cases import case_starts
from wxreg.runs.sampling.members import member_block
from wxreg.runs.sampling.sample import Sampled, SampleOptions, sample
from wxreg.runs.sampling.weights import load_weights_of
from wxreg.runs.stores import loader_settings, ready_stores
from wxreg.specs.plan import SamplePlan


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> EntryWorld:
    return EntryWorld.make(tmp_path_factory.mktemp("cases") / "world")


def sample_plan(world: EntryWorld, model: str, **more: Any) -> SamplePlan:
    world.need_data(model)
    found = resolve(world.library, Request(model=model, task="sample", **more))
    assert isinstance(found, Resolved) and isinstance(found.plan, SamplePlan)
    return found.plan


def declare(world: EntryWorld, **body: Any) -> str:
    """Write a case selection of our own."""
    name = "own-cases"
    entry = {"spec": 1, "id": name, "title": "Some", **body}
    (world.root / "registry" / "cases" / f"{name}.yaml").write_text(yaml.safe_dump(entry))
    return name


def seconds_of(opened: xr.Dataset) -> np.ndarray:
    return opened["time"].values.astype("datetime64[s]").astype(np.int64)


@pytest.mark.parametrize(
    ("cases", "variable", "threshold", "share"),
    [("hrrr-convective", "refc", 20.0, 0.05), ("hrrr-unstable", "cape_sb", 1000.0, 0.1)],
)
def test_a_condition_over_a_share_of_the_domain(
    world: EntryWorld, cases: str, variable: str, threshold: float, share: float
) -> None:
    plan = sample_plan(world, "unet-hrrr-v1", cases=cases)
    found = case_starts(world.library, plan)
    (store,) = ready_stores(world.library, plan.inputs)
    ((start, end),) = period_seconds(plan.starts.periods)
    with xr.open_zarr(store, consolidated=False) as opened:
        moments = seconds_of(opened)
        above = (opened[variable] > threshold).mean(("y", "x")).values >= share
    expected = moments[above & (moments >= start) & (moments < end)]
    assert found == tuple(Start(int(moment)) for moment in expected)
    assert 0 < len(found) < (end - start) // 3600


def test_the_warmest_year_is_the_warmest_of_its_split(world: EntryWorld) -> None:
    plan = sample_plan(world, "unet-era5-v1", cases="warmest-year")
    found = case_starts(world.library, plan)
    assert found
    (store,) = ready_stores(world.library, plan.inputs)
    with xr.open_zarr(store, consolidated=False) as opened:
        moments = seconds_of(opened)
        years = opened["time"].dt.year.values
        means = opened["tmax_day"].mean(("y", "x")).values
    inside = np.zeros(len(moments), bool)
    for start, end in period_seconds(plan.starts.periods):
        inside |= (moments >= start) & (moments < end)
    warmest = max(set(years[inside]), key=lambda year: means[inside & (years == year)].mean())
    assert {start.init for start in found} == set(moments[inside & (years == warmest)].tolist())


def overlapping(world: EntryWorld, plan: SamplePlan) -> tuple[int, list[int]]:
    """A time of the test split at which several events have their twentieth frame or so."""
    (store,) = ready_stores(world.library, plan.inputs)
    with xr.open_zarr(store, consolidated=False) as opened:
        moments, segments = seconds_of(opened), opened["segment"].values
    windows = {}
    for segment in np.unique(segments):
        own = moments[segments == segment]
        windows[int(segment)] = set(own[13:36].tolist())
    for first, mine in windows.items():
        for second, theirs in windows.items():
            if first < second and mine & theirs:
                return min(mine & theirs), [first, second]
    raise AssertionError("no events overlap in the embedded data")


def test_listed_events_are_taken_whole(world: EntryWorld) -> None:
    name = declare(world, dataset="sevir", events=["3", "5"], split=None)
    found = case_starts(world.library, sample_plan(world, "nowcastnet-sevir-v1", cases=name))
    assert found is not None and {start.segment for start in found} == {3, 5}
    assert len(found) == 2 * 49


def test_events_and_times_that_are_not_there_are_named(world: EntryWorld) -> None:
    for part, asked in (("events", "S999999"), ("times", "1999-01-01T00:00")):
        name = declare(world, dataset="sevir", split=None, **{part: [asked]})
        plan = sample_plan(world, "nowcastnet-sevir-v1", cases=name)
        with pytest.raises(Incompatible, match=asked) as caught:
            case_starts(world.library, plan)
        assert caught.value.code == "REG-461" and caught.value.hint


def make(world: EntryWorld, plan: SamplePlan) -> Sampled:
    with world.ledger() as ledger:
        weights = load_weights_of(world.library, plan, None, None)
        options = SampleOptions(quiet=True, accelerator="cpu")
        return sample(world.library, ledger, plan, weights, options)


def test_events_that_start_at_one_time_keep_their_own_forecasts(world: EntryWorld) -> None:
    """Persistence of two overlapping SEVIR events: each repeats its own last frame."""
    trained = sample_plan(world, "nowcastnet-sevir-v1")
    moment, events = overlapping(world, trained)
    text = str(np.datetime64(moment, "s").astype("datetime64[m]"))
    starts = trained.starts.model_copy(update={"split": None, "periods": (), "times": (text,)})
    plan = baseline_plan(world.library, trained, "persistence").model_copy(
        update={"starts": starts}
    )
    made = make(world, plan)
    (store,) = ready_stores(world.library, plan.inputs)
    forecast, truth = ForecastFields(made.forecast), TruthFields(store, ("vil",))
    assert set(events) <= {start.segment for start in forecast.starts}
    assert {start.init for start in forecast.starts} == {moment}
    for position, start in enumerate(forecast.starts):
        place = truth.place(start, 0)
        assert place is not None
        last = truth.read(place, "vil")
        own = forecast.read(position, 0, "vil")[0]
        assert np.array_equal(np.nan_to_num(own), np.nan_to_num(last))
    again = make(world, plan)
    assert compare_forecasts(made.forecast, again.forecast) is None
    with world.ledger() as ledger:
        assert reproduce(world.library, ledger, made.run, quiet=True).verdict == "identical"


def test_a_changed_selection_is_not_the_one_that_was_pinned(world: EntryWorld) -> None:
    from wxreg.errors import IntegrityError

    name = declare(world, dataset="sevir", events=["3"], split=None)
    plan = sample_plan(world, "nowcastnet-sevir-v1", cases=name)
    declare(world, dataset="sevir", events=["4"], split=None)
    with pytest.raises(IntegrityError):
        case_starts(world.library, plan)


class DrawsOnly:
    """A forecaster whose forecast is its noise."""

    def sample(self, batch: WindowBatch, members: int, noise: MemberNoise) -> torch.Tensor:
        return noise.normal((1, 1, 4, 4), torch.zeros(1))[None]


def test_events_that_start_at_one_time_draw_noise_of_their_own(world: EntryWorld) -> None:
    plan = sample_plan(world, "nowcastnet-sevir-v1")
    moment, events = overlapping(world, plan)
    inputs, targets = ready_stores(world.library, plan.inputs, plan.targets)
    settings = loader_settings(plan, (inputs, targets), plan.leads, periods=None, truth=False)
    source = BatchSource(settings)
    leads = plan.lead.model_copy(update={"mode": "direct", "trained": plan.leads[:1]})
    plan = plan.model_copy(update={"lead": leads, "leads": plan.leads[:1]})

    def drawn(event: int) -> Any:
        window = source.windows.starts.index(Start(moment, event))
        return member_block(DrawsOnly(), source.batch([window]), plan, 0)  # type: ignore[arg-type]

    first, second = (drawn(event) for event in events)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, drawn(events[0]))
    assert plan.semantics["event-noise"] == 2
    assert "event-noise" not in sample_plan(world, "ddpm-hrrr-v1").semantics
