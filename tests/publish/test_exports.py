"""An export is read back by the libraries of those who defined its form."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import little_history as little
import pytest

prov = pytest.importorskip("prov.model")
rocrate = pytest.importorskip("rocrate.rocrate")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[little.History]:
    made = little.make(tmp_path_factory.mktemp("exports") / "space")
    yield made
    made.ledger.close()


def export(history: little.History, reg_command: list[str], *words: str) -> dict:
    place = f"forecasts/{history.forecast.name}"
    command = [*reg_command, "--json", "export", place, *words]
    done = subprocess.run(command, cwd=history.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_crate_holds_the_files_and_says_which_run_made_them(history, reg_command, tmp_path):
    told = export(history, reg_command, "--out", str(tmp_path / "crate"))
    assert told["missing"] == [] and set(told["runs"]) == {little.TRAIN, little.SAMPLE}
    crate = rocrate.ROCrate(tmp_path / "crate")
    assert "1.1" in str(crate.version)
    forecast = crate.mainEntity
    assert forecast.type == "Dataset" and (tmp_path / "crate" / forecast.id).is_dir()
    sample, train = (crate.dereference(f"#{run}") for run in (little.SAMPLE, little.TRAIN))
    assert sample.type == train.type == "CreateAction"
    assert [one.id for one in sample["result"]] == [forecast.id]
    (weights,) = train["result"]
    assert weights.id in {one.id for one in sample["object"]}
    assert weights["sha256"] == history.checkpoint_sha
    assert (tmp_path / "crate" / weights.id).read_bytes() == history.checkpoint.read_bytes()
    data = [one for one in train["object"] if one["additionalType"] == "dataset-version"]
    assert [one["name"] for one in data] == ["toy@one"]
    assert {one.id for one in crate.root_dataset["hasPart"]} >= {forecast.id, weights.id}
    assert crate.root_dataset["datePublished"] and crate.root_dataset["conformsTo"]


def test_a_crate_is_written_the_same_way_twice(history, reg_command, tmp_path):
    texts = []
    for name in ("one", "two"):
        export(history, reg_command, "--out", str(tmp_path / name))
        texts.append((tmp_path / name / "ro-crate-metadata.json").read_text())
    assert texts[0] == texts[1]


def test_prov_says_who_used_and_made_what(history, reg_command, tmp_path):
    out = tmp_path / "chain.json"
    export(history, reg_command, "--format", "prov", "--out", str(out))
    document = prov.ProvDocument.deserialize(content=out.read_text(), format="json")
    runs = {str(one.identifier) for one in document.get_records(prov.ProvActivity)}
    assert runs == {f"reg:{little.TRAIN}", f"reg:{little.SAMPLE}"}

    def pairs(kind: type) -> set[tuple[str, str]]:
        return {tuple(str(v) for _, v in one.formal_attributes[:2]) for one in
                document.get_records(kind)}  # fmt: skip

    weights = f"sha256:{history.checkpoint_sha}"
    assert (f"reg:{little.SAMPLE}", weights) in pairs(prov.ProvUsage)
    assert (weights, f"reg:{little.TRAIN}") in pairs(prov.ProvGeneration)
    began = {str(one.identifier): one.get_startTime() for one in
             document.get_records(prov.ProvActivity)}  # fmt: skip
    assert all(began.values())
    plans = [one for one in document.get_records(prov.ProvEntity)
             if "Plan" in str(one.get_asserted_types())]  # fmt: skip
    assert len(plans) == 2


def test_a_damaged_forecast_is_not_exported(history, reg_command, tmp_path):
    chunk = history.forecast / "t2m" / "c" / "1" / "0" / "0" / "0" / "0"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:10] + bytes([whole[10] ^ 1]) + whole[11:])
    command = [*reg_command, "export", little.SAMPLE, "--out", str(tmp_path / "bad")]
    try:
        done = subprocess.run(command, cwd=history.root, capture_output=True, check=False)
    finally:
        chunk.write_bytes(whole)
    assert done.returncode == 5 and not (tmp_path / "bad").exists()


@pytest.mark.parametrize("words", [("--format", "rdf"), ()])
def test_a_form_that_is_not_known_and_a_run_that_is_not_are_refused(
    history, reg_command, tmp_path, words
):
    name = little.SAMPLE if words else "sample-20200101-000000-aaaaaa"
    command = [*reg_command, "export", name, "--out", str(tmp_path / "x"), *words]
    done = subprocess.run(command, cwd=history.root, capture_output=True, check=False)
    assert done.returncode == (2 if words else 3) and not (tmp_path / "x").exists()
