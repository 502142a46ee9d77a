"""Derived variables that a plan names and no view lists: computed when they are first read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from runs.tiny_world import World, make_world
from wxreg.artifacts.layout import Layout
from wxreg.data.samples import View
from wxreg.data.stores import open_store
from wxreg.errors import Incompatible
from wxreg.ids import DataRef
from wxreg.library.loading import Library
from wxreg.runs.datasets.preparing import prepare_plan, prepared
from wxreg.runs.datasets.statistics import compute_statistics, verify_statistics

REF = DataRef("alpha", "tiny")
MORE = """
  - {id: ws10, long_name: Wind speed, units: m s-1,
     derived: {formula: wind_speed, inputs: [u10, v10]}}
  - {id: t2m_max_day, long_name: Highest temperature of a day, units: K, kind: maximum,
     window: 24h, derived: {formula: daily_maximum, inputs: [t2m]}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = make_world(tmp_path_factory.mktemp("derived") / "world")
    lexicon = made.root / "catalog" / "lexicon.yaml"
    lexicon.write_text(lexicon.read_text().rstrip() + MORE)
    return made


def store_of(world: World, *names: str) -> Path:
    plan = prepare_plan(Library(world.root), Layout(world.root), REF, "native", names)
    return prepared(plan, lambda: None, workers=1)


def test_it_is_computed_into_a_store_beside_the_views_own(world: World) -> None:
    plain = store_of(world, "t2m")
    written = (plain / "zarr.json").stat().st_mtime_ns
    more = store_of(world, "ws10", "t2m")
    assert more != plain and more.parent == plain.parent
    opened = open_store(more)
    np.testing.assert_allclose(opened.ws10, np.hypot(opened.u10, opened.v10), rtol=1e-5)
    assert store_of(world, "t2m") == plain
    assert (plain / "zarr.json").stat().st_mtime_ns == written
    assert View(more, ("ws10",)).channels == ("ws10",)


def test_its_statistics_are_counted_and_verified(world: World) -> None:
    library = Library(world.root)
    path, made = compute_statistics(library, REF, "native", "windy", more=("ws10",), workers=1)
    opened = open_store(store_of(world, "ws10"))
    train = opened.ws10.values[:72]
    assert made.channels["ws10"].values.mean == pytest.approx(float(train.mean()), rel=1e-5)
    assert "ws10" in yaml.safe_load(path.read_text())["channels"]
    assert verify_statistics(Library(world.root), REF, "windy", "native") == []


def test_what_has_other_steps_belongs_into_a_view(world: World) -> None:
    with pytest.raises(Incompatible, match="days") as caught:
        store_of(world, "t2m_max_day")
    assert "view" in (caught.value.hint or "")


def test_what_cannot_be_derived_says_so(world: World) -> None:
    with pytest.raises(Incompatible, match="neither holds"):
        store_of(world, "snow")


def test_persistence_of_a_derived_variable_is_read(world: World) -> None:
    """What resolved and failed when it was read (REG-335)."""
    from wxreg.data.batches import BatchSource
    from wxreg.resolve.request import Request
    from wxreg.resolve.resolver import Draft, resolve
    from wxreg.runs.stores import loader_settings, ready_stores

    model = world.root / "registry" / "models" / "hold-v1.yaml"
    body = yaml.safe_load((world.root / "registry" / "models" / "tiny-v1.yaml").read_text())
    names = ["t2m", "ws10"]
    body |= {"id": "hold-v1", "architecture": {"name": "persistence"}, "training": {"kind": "none"}}
    body["resources"]["parameters"] = 0
    for side in ("inputs", "targets"):
        body[side]["variables"] = list(names)
    model.write_text(yaml.safe_dump(body, sort_keys=False))
    library = Library(world.root)
    plan = resolve(library, Request(model="hold-v1", task="sample")).plan
    assert not isinstance(plan, Draft), json.dumps(str(plan))
    paths = ready_stores(library, plan.inputs, plan.targets)
    settings = loader_settings(plan, (paths[0], paths[1]), plan.leads, periods=None, truth=True)
    batch = BatchSource(settings).batch([0, 1])
    assert batch.inputs.shape[2] == 2 and bool(batch.inputs.isfinite().all())
