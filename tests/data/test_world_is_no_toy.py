"""Storms of the embedded world grow and decay: carrying them on does not foretell them."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from wxreg.data.readers.sevir_files import decode_vil
from wxreg.models.baselines.optical_flow import OpticalFlow
from wxreg.models.forecaster import Blueprint, Channel

ROOT = Path(__file__).parents[2]
INIT, LEADS, EVERY = 12, 12, 3


@pytest.fixture(scope="module")
def events() -> list[np.ndarray]:
    """Decoded VIL ``(49, Y, X)`` of every third event of the shipped SEVIR version."""
    pin = yaml.safe_load((ROOT / "data" / "sevir" / "mini-1.dvc").read_text())
    store = ROOT / "data" / "embedded" / "files" / "md5"
    md5 = pin["outs"][0]["md5"]
    found = []
    for entry in json.loads((store / md5[:2] / md5[2:]).read_text()):
        if "_VIL_" not in entry["relpath"]:
            continue
        try:
            with h5py.File(store / entry["md5"][:2] / entry["md5"][2:]) as opened:
                found += [decode_vil(np.moveaxis(one, -1, 0)) for one in opened["vil"]]
        except OSError:  # one file is cut short on purpose
            continue
    return found[::EVERY]


@pytest.fixture(scope="module")
def flow() -> OpticalFlow:
    pytest.importorskip("pysteps", reason="optical flow is in the extra [baselines]")
    vil = (Channel("vil"),)
    return OpticalFlow(
        Blueprint("optical-flow", {}, vil, (), vil, 2, LEADS, "5min", (48, 48), (48, 48), {}, ())
    )


def rmse(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    errors = np.concatenate([(one - other).ravel() for one, other in pairs])
    return float(np.sqrt(np.nanmean(errors**2)))


def test_optical_flow_keeps_half_of_the_error_of_persistence(
    events: list[np.ndarray], flow: OpticalFlow
) -> None:
    assert len(events) >= 20
    carried, still, soon = [], [], []
    for event in events:
        pair, truth = event[INIT - 1 : INIT + 1], event[INIT + LEADS]
        moved = flow.carry(pair.astype(np.float64))
        carried.append((moved[-1], truth))
        still.append((pair[-1], truth))
        soon.append((moved[0], event[INIT + 1]))
    assert rmse(carried) >= 0.5 * rmse(still), "growth and decay must matter"
    assert rmse(soon) < 0.5 * rmse(still), "the flow does find the motion"
