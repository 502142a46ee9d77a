"""A workspace with one trained checkpoint and forecasts from it, made without any training."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wxreg.artifacts.checkpoint_file import RawTensor, write_checkpoint
from wxreg.artifacts.digests import file_digest, prefix64, tree_digest
from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import Seal, measured, seal
from wxreg.audit.workplace import Workplace
from wxreg.canonical import canonical_json
from wxreg.data.forecast_files import ForecastWriter
from wxreg.data.forecast_index import read_index
from wxreg.data.forecast_layout import ForecastLayout
from wxreg.ids import DataRef
from wxreg.ledger import queries
from wxreg.ledger.records import ArtifactRecord, ForecastIndex, RunStart
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.specs.plan import SamplePlan, TrainPlan

HOUR = 3600
START = 1_685_577_600  # 2023-06-01T00:00
TRAIN = "train-20261121-010101-aaaaaa"
SAMPLE = "sample-20261121-020202-bbbbbb"
GRID = {"crs": "+proj=longlat", "shape": [6, 8], "spacing": [1, 1], "origin": [0, 0],
        "units": "degree", "rows": "north-to-south", "winds": "earth-relative"}  # fmt: skip
NUMBERS = "{count: 9, mean: 1.5, std: 2.0, minimum: 0.0, maximum: 3.0}"


@dataclass(frozen=True)
class History:
    """The workspace and what stands in it."""

    root: Path
    ledger: Ledger
    checkpoint: Path
    forecast: Path
    statistics: Path
    data: Path

    @property
    def here(self) -> Workplace:
        return Workplace(self.root, self.ledger)

    @property
    def checkpoint_sha(self) -> str:
        return file_digest(self.checkpoint)


def make(root: Path, clock=None) -> History:
    """Data → statistics → training → checkpoint → sampling → forecast."""
    (root / "registry").mkdir(parents=True)
    data, content = _data(root)
    statistics, digest = _statistics(root, content)
    ledger = Ledger(root / ".reg" / "ledger.db", *([clock] if clock else []))
    side = _side(content, digest)
    train = _plan(TrainPlan, task="forecast", architecture={"name": "unet", "settings": {}},
                  splits={"train": [{"start": "2023-06-01T00:00", "end": "2023-06-02T00:00"}],
                          "validation": [], "test": [], "buffer": "0h"},
                  training={"steps": 1}, **side)  # fmt: skip
    begin(ledger, root, TRAIN, "train", train, {content: "inputs targets", digest: "statistics"})
    checkpoint = _checkpoint(root, ledger, train)
    sha = file_digest(checkpoint)
    forecast = sampled(root, ledger, SAMPLE, sha, side)
    return History(root, ledger, checkpoint, forecast, statistics, data)


def _side(content: str, digest: str) -> dict:
    store = {"dataset": "toy@one", "content": content, "layout": "cf-netcdf", "view": "native",
             "variables": ["refc", "t2m"], "channels": ["refc", "t2m"], "grid": GRID,
             "cadence": "1h", "calendar": "standard", "statistics": digest}  # fmt: skip
    lead = {"step": "1h", "mode": "direct", "trained": "1h..2h/1h", "allowed": "1h..2h/1h"}
    named = {"inputs": "toy@one/native", "targets": "toy@one/native"}
    return {"inputs": store, "targets": store, "history": "0h", "lead": lead,
            "semantics": {"architecture:unet": 1},
            "about": {"model": "toy-v1", "scale": "mini", "statistics": named}}  # fmt: skip


def _plan(kind, **values):
    return kind.model_validate_json(json.dumps(values))


def _data(root: Path) -> tuple[Path, str]:
    folder = Layout(root).version("toy", "one")
    folder.mkdir(parents=True)
    (folder / "day-1.nc").write_bytes(b"not really weather " * 50)
    (folder / "day-2.nc").write_bytes(b"still not weather " * 50)
    return folder, tree_digest(folder).digest


def _statistics(root: Path, content: str) -> tuple[Path, str]:
    path = Layout(root).statistics("toy", "one", "native")
    path.parent.mkdir(parents=True)
    path.write_text(
        f"spec: 1\nid: native\ndataset: toy@one\nsource_digest: {content}\n"
        "window:\n- {start: 2023-06-01T00:00, end: 2023-06-02T00:00}\n"
        f"channels:\n  refc: {{values: {NUMBERS}}}\n  t2m: {{values: {NUMBERS}}}\n"
    )
    found = Library(root).statistics(DataRef("toy", "one"), "native")
    return path, found.digest()


def begin(ledger: Ledger, root: Path, run: str, kind: str, plan, inputs: dict[str, str]) -> None:
    text = json.dumps(plan.model_dump(mode="json"), sort_keys=True)
    details = {"model": "toy-v1", "data": "toy@one", "commit": "c" * 40, "version": "0.1.0"}
    documents = {"plan": text, "installed": "torch==2.13.0"}
    ledger.begin(RunStart(run, kind, plan.digest(), "d" * 64, "e" * 64, details, inputs, documents))
    ledger.running(run)
    ledger.end(run, "finished", {"seconds": 1.5})
    keep(ledger, root, run)


def keep(ledger: Ledger, root: Path, run: str) -> None:
    """The record and the plan beside the run's files."""
    layout = Layout(root)
    layout.run(run).mkdir(parents=True, exist_ok=True)
    body = queries.run_json(ledger, run)
    layout.run_json(run).write_text(json.dumps(body, indent=1, sort_keys=True))
    layout.plan_json(run).write_text(body["documents"]["plan"])


def register(
    ledger: Ledger, root: Path, path: Path, kind: str, run: str | None, index=None, sources=None
) -> str:
    sha256, size = (index.sha256, measured(path)[1]) if index else measured(path)
    relative = path.relative_to(root).as_posix()
    record = ArtifactRecord(sha256, kind, relative, size, "2026-11-21T00:00:00+00:00", run,
                            path.stat().st_mtime_ns)  # fmt: skip
    head = ledger.register(record, index, sources)
    place = (head.sequence, head.hash)
    seal(path, Seal(kind, sha256, size, record.created, run, place, sources or {}))
    return sha256


def _checkpoint(root: Path, ledger: Ledger, plan: TrainPlan) -> Path:
    draw = np.random.default_rng(3)
    tensors = {
        f"layer{n}.weight": RawTensor.of(draw.normal(size=(4, 5)).astype("f4")) for n in range(4)
    }
    path = Layout(root).checkpoint(TRAIN, "best")
    path.parent.mkdir(parents=True, exist_ok=True)
    body = json.loads(canonical_json(plan.body()))
    write_checkpoint(path, tensors, {"plan": body, "plan_digest": plan.digest()})
    register(ledger, root, path, "checkpoint", TRAIN)
    return path


def sampled(root: Path, ledger: Ledger, run: str, checkpoint: str, side: dict, seed: int = 0,
            inits: int = 2, constant: bool = False) -> Path:  # fmt: skip
    """One sampling run and its sealed forecast."""
    values = {**side, "checkpoint": checkpoint, "leads": "1h,2h", "seed": seed,
              "starts": {"split": "test"}, "sampling": {"members": 2}}  # fmt: skip
    plan = _plan(SamplePlan, **values)
    content = side["inputs"]["content"]
    begin(ledger, root, run, "sample", plan, {content: "inputs", checkpoint: "checkpoint"})
    data = {"dataset": "toy@one", "content": content}
    claim = {
        "model": "toy-v1", "checkpoint": checkpoint, "training_run": TRAIN, "sampling_run": run,
        "plan": plan.digest(), "seed": seed, "members": 2,
        "data": {"inputs": data, "targets": data},
        "statistics": {name: side[name]["statistics"] for name in ("inputs", "targets")},
    }  # fmt: skip
    path = Layout(root).forecast(run)
    write(path, claim, seed, inits, constant)
    entries = read_index(path)
    merkle = json.loads((path / "zarr.json").read_text())["attributes"]["wxreg"]["merkle"]
    index = ForecastIndex(merkle, merkle, tuple(prefix64(entry.digest) for entry in entries))
    register(ledger, root, path, "forecast", run, index, {plan.digest(): "plan"})
    return path


def write(path: Path, claim: dict, seed: int, inits: int, constant: bool = False) -> None:
    shape = (6, 8)
    y, x = np.arange(6.0)[::-1], np.arange(8.0)
    layout = ForecastLayout(
        channels=("refc", "t2m"), inits=tuple(START + n * HOUR for n in range(inits)),
        leads=(HOUR, 2 * HOUR), members=2, member_block=2, y=y, x=x,
        lat=np.broadcast_to(y[:, None] + 0.1, shape), lon=np.broadcast_to(x[None] + 0.1, shape),
        units={"refc": "dBZ", "t2m": "K"},
    )  # fmt: skip
    with ForecastWriter(path, layout, claim) as writer:
        for init in layout.inits:
            draw = np.random.default_rng([seed, init])
            values = draw.normal(size=(2, 2, 2, *shape)).astype("f4")
            values[0, 0, 0] = -10  # a dry field is constant and proves nothing
            writer.write(init, 0, np.full_like(values, -10) if constant else values)
        writer.finish()


def side_of(history: History) -> dict:
    """What a further sampling needs."""
    version = tree_digest(history.data).digest
    found = Library(history.root).statistics(DataRef("toy", "one"), "native")
    return _side(version, found.digest())
