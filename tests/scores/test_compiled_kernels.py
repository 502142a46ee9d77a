"""Compiled kernels are kept for the next process, and are not needed at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = """
import sys
if "blocked" in sys.argv:
    sys.modules["numba"] = None
    import importlib.util
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *more: None if name == "numba" else find(name, *more)
import numpy as np
from wxreg.scores.ensemble import EnsembleScores
from wxreg.scores.fss import FractionsSkill
from wxreg.scores.members import MemberScores
from wxreg.scores.spectra import Spectrum

random = np.random.default_rng(0)
forecast = random.normal(0, 2, (9, 30, 41)).astype(np.float32)
truth = random.normal(0, 2, (30, 41)).astype(np.float32)
forecast[2, :4], truth[5] = np.nan, np.nan
whole = np.nan_to_num(forecast[0]), np.nan_to_num(truth)
states = [
    EnsembleScores((0.0, 1.0)).update(forecast, truth),
    MemberScores((0.0, 1.0)).update(forecast, truth),
    FractionsSkill((0.0, 1.0), (1, 3, 8), "padded").update(forecast[0], truth),
    Spectrum(1.0, 1.0).update(*whole),
]
np.savez(sys.argv[1], **{f"{n}-{k}": v for n, s in enumerate(states) for k, v in s.arrays.items()})
if "blocked" not in sys.argv:
    from wxreg.scores import fused
    stats = fused.ensemble_range.stats
    print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def run(target: Path, cache: Path, *words: str) -> tuple[str, dict[str, np.ndarray]]:
    surroundings = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(target), *words],
        env={**surroundings, "XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    with np.load(target) as found:
        return done.stdout.strip(), dict(found)


@pytest.mark.slow
def test_a_second_process_compiles_nothing(tmp_path):
    """In a folder with a space, which may be read only by then."""
    cache = tmp_path / "my cache"
    first, cold = run(tmp_path / "a.npz", cache)
    second, warm = run(tmp_path / "b.npz", cache)
    assert (first, second) == ("0 1", "1 0")
    for name, values in cold.items():
        assert values.tobytes() == warm[name].tobytes(), name


def test_without_numba_the_numbers_are_the_same(tmp_path):
    _, plain = run(tmp_path / "plain.npz", tmp_path / "none", "blocked")
    assert not (tmp_path / "none").exists()
    _, compiled = run(tmp_path / "compiled.npz", Path.home() / ".cache")
    assert plain.keys() == compiled.keys()
    for name, values in plain.items():
        np.testing.assert_allclose(compiled[name], values, rtol=2e-6, atol=1e-5, err_msg=name)


def test_a_file_in_the_place_of_the_cache_is_no_error(tmp_path, monkeypatch):
    from wxreg.scores import compiling

    (tmp_path / "wxreg").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    compiling.cache_folder.cache_clear()
    try:
        assert compiling.cache_folder() is None
        assert compiling.compiled(_double)(2) == 4
    finally:
        compiling.cache_folder.cache_clear()


def _double(value: int) -> int:
    return 2 * value
