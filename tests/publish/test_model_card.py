"""A card says what a person wrote and what runs have shown, and nothing else."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from wxreg.artifacts.checkpoint_file import read_checkpoint, write_checkpoint
from wxreg.artifacts.digests import file_digest, tree_digest
from wxreg.artifacts.hub import Repository
from wxreg.artifacts.layout import Layout
from wxreg.audit.audit import audit
from wxreg.audit.whence import whence
from wxreg.audit.workplace import Workplace
from wxreg.errors import ExternalError, IntegrityError, NotFound, UsageError
from wxreg.ids import DataRef
from wxreg.ledger import queries
from wxreg.ledger.records import ArtifactRecord, RunStart
from wxreg.library.loading import Library
from wxreg.publish.card import render_card, write_card
from wxreg.publish.evidence import gather
from wxreg.publish.publishing import publish
from wxreg.publish.release import build_release


def test_a_card_shows_records_and_says_what_is_missing(lab):
    text = render_card(lab.library, lab.ledger, lab.evidence)
    header = yaml.safe_load(text.split("---")[1])
    assert header["license"] == "apache-2.0"
    assert "model-index" not in header  # nothing was evaluated
    assert lab.evidence.sha256 in text
    assert "0.125 at step 7" in text
    assert "there are no\nscores to show" in text
    assert "| It works. | It does not. |" in text


def test_a_card_leads_to_its_checkpoint_and_an_edited_one_is_found(lab, tmp_path):
    here = Workplace(lab.root, lab.ledger)
    card = write_card(lab.library, lab.ledger, "parent-v1")
    copy = tmp_path / "README.md"
    copy.write_bytes(card.read_bytes())
    for path in (card, copy):
        answer = whence(path, here)
        assert (answer.status, answer.subject["kind"]) == ("verified", "card")
        assert answer.chain["checkpoint"]["sha256"] == lab.evidence.sha256
        assert answer.chain["training_run"]["id"] == lab.evidence.run.id
    card.write_text(card.read_text().replace("0.125 at step", "0.025 at step"))
    assert whence(card, here).status == "tampered"
    assert any(one.where == "cards/parent-v1.md" for one in audit(lab.root, lab.ledger).findings)
    write_card(lab.library, lab.ledger, "parent-v1")
    assert whence(card, here).status == "verified"
    words = lab.root / "cards" / "parent-v1.yaml"
    words.write_text(words.read_text().replace("A test of", "One test of"))
    card = write_card(Library(lab.root), lab.ledger, "parent-v1")
    assert whence(card, here).status == "verified" and audit(lab.root, lab.ledger).whole


def test_no_card_without_a_finished_run_or_a_persons_words(lab):
    with pytest.raises(NotFound):
        gather(lab.library, lab.ledger, "child-v1")
    (lab.root / "cards" / "parent-v1.yaml").unlink()
    with pytest.raises(NotFound):
        render_card(lab.library, lab.ledger, lab.evidence)


def test_a_changed_checkpoint_has_no_card(lab):
    path = lab.evidence.checkpoint
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        gather(lab.library, lab.ledger, "parent-v1")


def test_the_lines_on_the_card_read_a_release_without_wxreg(lab, hub, tmp_path):
    made = build_release(
        lab.library, lab.ledger, lab.evidence, tmp_path / "release", repository="my-lab/parent"
    )
    publish(lab.ledger, lab.evidence, made, Repository("my-lab/parent"))
    assert "1 tensors" in run_lines(lines_of(made.folder / "README.md"))


def lines_of(card: Path) -> str:
    """The Python that a card shows."""
    (lines,) = re.findall(r"```python\n(.*?)```", card.read_text(), re.DOTALL)
    assert "wxreg" not in re.sub(r'"[^"]*"', "", lines)
    assert len([line for line in lines.splitlines() if line.strip()]) <= 10
    return str(lines)


def run_lines(lines: str) -> str:
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_aurora_release_loads_into_the_librarys_own_class_with_ten_lines(lab, hub, tmp_path):
    from wxreg.models.aurora_timm import load_aurora

    try:
        load_aurora()
    except ExternalError:
        pytest.skip("microsoft-aurora is an extra and not installed")
    evidence = replace(lab.evidence, **aurora_checkpoint(tmp_path / "aurora.safetensors"))
    made = build_release(
        lab.library, lab.ledger, evidence, tmp_path / "release", repository="my-lab/aurora"
    )
    publish(lab.ledger, evidence, made, Repository("my-lab/aurora"))
    lines = lines_of(made.folder / "README.md")
    assert "Aurora(**" in lines
    # timm cannot be imported beside a CPU build of torch; everything else is plain.
    ready = "from wxreg.models.aurora_timm import provide_timm; provide_timm()\n"
    shown = "\nprint(sum(p.numel() for p in model.parameters()), model.surf_stats['2t'])"
    told = run_lines(ready + lines + shown)
    sizes = [math.prod(t.shape) for t in read_checkpoint(evidence.checkpoint).tensors.values()]
    assert told.split()[0] == str(sum(sizes))


TINY_AURORA = {
    "patch_size": 4, "embed_dim": 16, "num_heads": 2, "window_size": [2, 2, 2],
    "encoder_depths": [2, 2], "encoder_num_heads": [2, 4], "decoder_depths": [2, 2],
    "decoder_num_heads": [4, 2], "latent_levels": 2, "mlp_ratio": 2.0, "residual": True,
}  # fmt: skip


def aurora_checkpoint(path: Path) -> dict[str, Any]:
    """A tiny Aurora with weights of a seed, as a checkpoint of ours."""
    import synthetic_weather as weather

    from wxreg.models.building import build, describe_checkpoint
    from wxreg.runs.checkpoints import raw_tensors

    fields = weather.world(16, size=(24, 28))
    forecaster = build(weather.blueprint(fields, "aurora", settings=TINY_AURORA), seed=0)
    described = describe_checkpoint(forecaster)
    write_checkpoint(path, raw_tensors(forecaster.state_dict()), described)
    return {"checkpoint": path, "sha256": file_digest(path), "metadata": described}


def evaluate(lab, value: float):
    """A sampling and an evaluation of its forecast, as the ledger keeps them."""
    forecast, run = "f" * 64, "evaluate-20261121-030303-cccccc"
    sampling = "sample-20261121-020202-bbbbbb"
    lab.ledger.begin(RunStart(sampling, "sample", inputs={lab.evidence.sha256: "checkpoint"}))
    lab.ledger.running(sampling)
    now = "2026-11-21T00:00:00+00:00"
    lab.ledger.register(ArtifactRecord(forecast, "forecast", "forecasts/x.zarr", 1, now, sampling))
    lab.ledger.end(sampling, "finished")
    row = {"metric": "rmse", "variable": "t2m", "level": None, "lead": "1h", "threshold": None,
           "scale": None, "bin": "all", "value": value, "low": 1.0, "high": 1.5, "count": 64,
           "members": 1, "baseline": None, "skill": None}  # fmt: skip
    against = {**row, "baseline": "persistence", "skill": -0.25, "low": -0.5, "high": -0.125}
    body = {"protocol": "simple", "protocol_digest": "a" * 64, "truth": "alpha@one", "members": 1,
            "pairs": 4, "inits": 4, "leads": ["1h"], "forecast": {"digest": forecast}, "notes": [],
            "model": "parent-v1", "scores": [row, against], "comparisons": [],
            "baselines": {"persistence": [row]}}  # fmt: skip
    folder = Layout(lab.root).scores(run)
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text(json.dumps(body))
    lab.ledger.begin(RunStart(run, "evaluate", inputs={forecast: "forecast"}))
    lab.ledger.running(run)
    lab.ledger.end(run, "finished", {"scores": tree_digest(folder).digest})
    return folder / "scores.json"


def test_scores_stand_with_interval_protocol_and_skill_and_in_the_model_index(lab):
    evaluate(lab, 1.2345)
    text = render_card(lab.library, lab.ledger, lab.evidence)
    assert "| t2m | 1.234 (1 to 1.5) |" in text or "| t2m | 1.235 (1 to 1.5) |" in text
    assert "| t2m | -0.25 (-0.5 to -0.125) |" in text
    assert "a" * 64 in text
    (found,) = yaml.safe_load(text.split("---")[1])["model-index"]
    (result,) = found["results"]
    assert result["metrics"][0]["value"] == 1.2345
    assert result["dataset"]["name"] == "alpha@one"


def test_the_figures_of_a_card_lie_beside_it_and_in_the_release(lab, tmp_path):
    evaluate(lab, 1.2345)
    card = write_card(lab.library, lab.ledger, "parent-v1")
    shown = re.findall(r"!\[.*?\]\((.*?)\)", card.read_text())
    assert len(shown) == 2 and any("skill" in path for path in shown)
    made = build_release(lab.library, lab.ledger, lab.evidence, tmp_path / "release")
    for path in shown:
        assert (card.parent / path).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert path in made.paths
        assert (made.folder / path).read_bytes() == (card.parent / path).read_bytes()


NUMBER = re.compile(r"(?<![\w.:@/-])\d[\d,]*(?:\.\d+)?(?![\w-])")


def test_every_number_on_a_card_stands_in_a_record(lab):
    """Numbers of the tables and sentences; code and digests are set aside."""
    evaluate(lab, 1.2345)
    evidence = lab.evidence
    body = render_card(lab.library, lab.ledger, evidence).split("---\n", 2)[2]
    body = re.sub(r"```.*?```", "", body, flags=re.DOTALL)
    body = re.sub(r"`[0-9a-f]{12,64}`", "", body)  # digests may happen to be all digits
    records = [
        queries.run_json(lab.ledger, evidence.run.id), evidence.plan.model_dump(mode="json"),
        [one.body for one in evidence.evaluations], evidence.numbers,
        *(lab.library.version(DataRef.parse(evidence.plan.inputs.dataset)).model_dump(mode="json"),),
        lab.library.model("parent-v1", "mini").model_dump(mode="json"),
    ]  # fmt: skip
    known = {float(text) for text in re.findall(r"\d+(?:\.\d+)?", json.dumps(records))}
    rounded = known | {float(f"{value:.{n}g}") for value in known for n in (3, 4)}
    told = {float(text.replace(",", "")) for text in NUMBER.findall(body)}
    assert len(told) > 10 and told <= rounded, told - rounded


def test_a_template_cannot_say_a_number_of_its_own(lab):
    template = lab.root / "cards" / "templates" / "model.md.j2"
    text = template.read_text()
    template.write_text(text.replace("## Scores\n", "## Scores\n\nIt beats all by 42.5 %.\n"))
    with pytest.raises(UsageError, match=r"42\.5"):
        render_card(lab.library, lab.ledger, lab.evidence)


def test_a_score_that_was_edited_is_refused(lab):
    file = evaluate(lab, 1.2345)
    file.write_text(file.read_text().replace("1.2345", "0.1111"))
    with pytest.raises(IntegrityError):
        gather(lab.library, lab.ledger, "parent-v1")
