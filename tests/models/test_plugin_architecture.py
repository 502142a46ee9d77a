from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import synthetic_weather as weather
import torch

from wxreg.models.building import build
from wxreg.models.noise import MemberNoise
from wxreg.specs.architecture import ARCHITECTURES

EXAMPLE = Path(__file__).parent / "example_plugin"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example laid out as an installer would leave it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copy(EXAMPLE / "still_weather.py", tmp_path)
    info = tmp_path / "wxreg_still_weather-1.2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project["entry-points"]
    lines = [
        line
        for group, entries in groups.items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
def test_an_installed_package_brings_an_architecture(fields: np.ndarray) -> None:
    found = ARCHITECTURES.find("still-weather")
    assert (found.semantics, found.distribution) == (3, "wxreg-still-weather 1.2.0")
    model = build(weather.blueprint(fields, "still-weather"))
    batch = weather.windows(fields).pick(slice(0, 2))
    model.loss(batch, torch.Generator()).total.backward()
    drawn = model.sample(batch, 3, MemberNoise(0, [0.0, 1.0], 3))
    assert torch.allclose(drawn[:, 0, 0], batch.inputs[:, -1], rtol=1e-4, atol=1e-2)
