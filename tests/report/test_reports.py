"""Pages need nothing else, and figures say what they show: units, times, projection."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import BoundaryNorm

from wxreg.data.windows import Start
from wxreg.report import curves, decisions, maps
from wxreg.report.case import Case, moment, projection
from wxreg.report.colours import colouring
from wxreg.report.pages import Shown, embedded, html_page, markdown_page
from wxreg.report.probability import consistency
from wxreg.runs.scoring.files import ScoresFile
from wxreg.specs.grid import Grid
from wxreg.specs.variables import Variable

REFC = Variable(id="refc", long_name="Reflectivity", units="dBZ", colours="reflectivity")
T2M = Variable(id="t2m", long_name="Temperature <2 m>", units="K")
LEXICON = {"refc": REFC, "t2m": T2M}


def row(**changes: Any) -> dict[str, Any]:
    values = {"metric": "rmse", "variable": "t2m", "level": None, "lead": "1h",
              "threshold": None, "scale": None, "bin": "all", "value": 1.5, "low": 1.2,
              "high": 1.8, "count": 10, "members": 1, "baseline": None, "skill": None}  # fmt: skip
    return {**values, **changes}


def scores(tmp_path: Path) -> ScoresFile:
    contingency = [
        row(metric=metric, variable="refc", threshold=20.0, value=value)
        for metric, value in (("pod", 0.6), ("far", 0.3))
    ]
    document = {
        "run": "evaluate-1", "model": "unet<script>", "protocol": "tiny",
        "protocol_digest": "0" * 64, "forecast": {"path": "f.zarr", "digest": "1" * 64},
        "truth": "hrrr@mini-1", "members": 1, "leads": ["1h", "2h"], "inits": 3, "pairs": 5,
        "missing": ["2023-06-14T00:00"], "repeated_valid_times": 0, "notes": ["one member"],
        "scores": [
            row(), row(lead="2h", value=2.5, low=None, high=None), *contingency,
            row(baseline="persistence", skill=-0.25), row(lead="2h", baseline="persistence",
                                                          value=2.5, skill=0.5),
        ],
        "baselines": {"persistence": [row(value=1.2), row(lead="2h", value=5.0)]},
    }  # fmt: skip
    return ScoresFile(tmp_path, document)


@pytest.fixture
def case() -> Case:
    draw = np.random.default_rng(0)
    truth = np.zeros((20, 30), "f4")
    truth[5:12, 8:20] = 40
    return Case(
        variable=REFC,
        members=truth + draw.normal(0, 5, (4, 20, 30)).astype("f4"),
        truth=truth,
        last=np.roll(truth, -3, 1),
        start=Start(1_686_466_800),
        lead=3600,
        threshold=20.0,
        extent=(0.0, 90.0, 0.0, 60.0),
        axes=("x (km)", "y (km)"),
        projection="Lambert conformal",
    )


def words(figure: Any) -> str:
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize(
    "draw",
    [maps.triplet, maps.mean_and_spread, maps.exceedance, maps.spaghetti, maps.paintball,
     maps.shaded],
)  # fmt: skip
def test_maps_name_units_times_and_projection(draw: Any, case: Case) -> None:
    shown = embedded("map", "", draw(case))
    said = words(draw(case))
    assert shown.png.startswith(b"\x89PNG")
    for word in ("dBZ", "2023-06-11 07:00 UTC", "08:00 UTC", "lead 1h", "Lambert", "(km)"):
        assert word in said, word


def test_one_member_has_no_map_of_an_ensemble(case: Case) -> None:
    single = replace(case, members=case.members[:1])
    for draw in (maps.mean_and_spread, maps.exceedance, maps.spaghetti, maps.shaded):
        assert draw(single) is None


def test_missing_cells_and_flat_fields_are_drawn(case: Case) -> None:
    empty = np.full_like(case.truth, np.nan)
    for draw in (maps.triplet, maps.spaghetti, maps.shaded):
        embedded("map", "", draw(replace(case, truth=empty, members=case.members * 0)))


def test_reflectivity_has_the_steps_of_radars_and_maps_share_a_scale() -> None:
    norm = colouring(REFC, [np.array([0.0, 70.0])])["norm"]
    assert isinstance(norm, BoundaryNorm)
    assert list(np.diff(norm.boundaries)) == [5.0] * 13
    wind = Variable(id="u10", long_name="Wind", units="m s-1", colours="diverging")
    signed = colouring(wind, [np.linspace(-3, 10, 100)])["norm"]
    assert signed.vmin == -signed.vmax


def test_a_page_is_whole_in_itself_and_escapes_what_it_shows(tmp_path: Path) -> None:
    page = html_page(scores(tmp_path), LEXICON, [Shown("Skill", "by lead", b"\x89PNG")])
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)", page)
    assert "<script" not in page and "unet&lt;script&gt;" in page
    assert '<td class="worse">-25.0%</td>' in page and '<td class="better">+50.0%</td>' in page
    assert "2023-06-14T00:00" in page


def test_markdown_holds_the_same_rows(tmp_path: Path) -> None:
    text = markdown_page(scores(tmp_path), LEXICON, [Shown("Skill of it", "by lead", b"\x89PNG")])
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(table) == 2 + 4
    assert "![Skill of it](figures/skill-of-it.png)" in text
    assert "| rmse | t2m | 1h |  |  | all | 1.5 | 1.2 … 1.8 | K | -25.0% |" in text


def test_curves_show_model_and_baselines(tmp_path: Path) -> None:
    said = words(curves.by_lead(scores(tmp_path), LEXICON, "rmse"))
    assert "persistence" in said and "rmse (K)" in said and "lead time (h)" in said
    assert "against persistence" in words(curves.skill_by_lead(scores(tmp_path), LEXICON, "rmse"))
    assert "refc ≥ 20 dBZ" in words(curves.performance(scores(tmp_path), LEXICON))
    assert curves.by_lead(scores(tmp_path), LEXICON, "crps") is None


def test_maps_of_wide_domains_are_stacked(case: Case) -> None:
    wide = replace(case, extent=(-110.0, -80.0, 35.0, 41.0), axes=("longitude", "latitude"))
    across, down = (maps.triplet(one).axes[:3] for one in (case, wide))
    assert len({round(axis.get_position().y0, 6) for axis in across}) == 1
    assert len({round(axis.get_position().x0, 6) for axis in down}) == 1


def test_leads_within_the_hour_are_shown_in_minutes() -> None:
    from wxreg.report.panels import lead_axis, panels

    for leads, word in ((["5min", "1h"], "(min)"), (["1h"], "(h)"), (["90min", "3h"], "(h)")):
        axis = panels(1, 2.0)[1][0]
        lead_axis(axis, leads)
        assert word in axis.get_xlabel()


def test_csi_and_fss_name_threshold_units_and_baselines(tmp_path: Path) -> None:
    both = scores(tmp_path)
    extra = [
        row(metric=metric, variable="refc", threshold=20.0, value=value, lead=lead, scale=scale)
        for metric, scale in (("csi", None), ("fss", 1.0), ("fss", 5.0))
        for lead, value in (("1h", 0.5), ("2h", 0.3))
    ]
    document = {**both.document, "scores": [*both.document["scores"], *extra]}
    document["baselines"] = {"persistence": extra}
    made = replace(both, document=document)
    for figure in (decisions.csi_by_lead(made, LEXICON), decisions.fss_by_scale(made, LEXICON, 3)):
        said = words(figure)
        assert "refc ≥ 20 dBZ" in said and "persistence" in said
    assert decisions.csi_by_lead(both, LEXICON) is None


def test_consistency_bars_hold_nine_in_ten_reliable_forecasts() -> None:
    draw = np.random.default_rng(1)
    cases = np.array([500] * 5)
    probability = np.arange(5) / 4
    held = []
    for _ in range(300):
        events = draw.binomial(cases, probability)
        table = np.stack([cases - events, events], -1)
        low, high = consistency(table)
        held.append((events / cases >= low) & (events / cases <= high))
    assert np.mean(held, 0)[1:4] == pytest.approx(0.91, abs=0.05)


def test_projections_and_moments_are_put_in_words() -> None:
    grid = Grid(crs="+proj=lcc +lat_0=38.5 +lon_0=-97.5", shape=(2, 2), spacing=(3000.0, 3000.0))
    assert projection(grid) == "Lambert conformal, centred at 38.5°N 97.5°W"
    assert moment(1_686_466_800) == "2023-06-11 07:00 UTC"
