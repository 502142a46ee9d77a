"""Weights that training starts from: fetched, checked by their SHA-256, and copied in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from wxreg.artifacts.checkpoint_file import read_weights
from wxreg.artifacts.digests import file_digest
from wxreg.artifacts.hub import Repository
from wxreg.artifacts.layout import Layout
from wxreg.artifacts.sealing import writing_file
from wxreg.errors import Incompatible, IntegrityError, NotFound
from wxreg.ledger.store import Ledger
from wxreg.library.loading import Library
from wxreg.models.forecaster import Forecaster
from wxreg.models.recomputing import weights_by_name
from wxreg.runs.checkpoints import torch_tensors
from wxreg.runs.finding import checkpoint_of_digest
from wxreg.specs.plan import TrainPlan
from wxreg.specs.training import InitialWeights

_SHOWN = 5


@dataclass(frozen=True)
class Start:
    """Weights to start from, as they were read."""

    declared: InitialWeights
    sha256: str
    tensors: Mapping[str, Tensor]

    @property
    def sources(self) -> dict[str, str]:
        """The edge from the run to these weights."""
        return {self.sha256: "initial weights"}

    def give(self, forecaster: Forecaster) -> dict[str, Any]:
        """Copy in what fits, by name and shape; what was taken and what starts from the seed.

        Only weights are taken: the numbers that normalise are those of the plan.
        """
        parts = tuple(f"{part}." if part else "" for part in self.declared.parts)
        given = {part + name: tensor for part in parts for name, tensor in self.tensors.items()}
        own = {k: v for k, v in weights_by_name(forecaster).items() if k.startswith(parts)}
        taken = [name for name in own if name in given and given[name].shape == own[name].shape]
        left = [name for name in own if name not in taken]
        if not taken or (left and self.declared.strict):
            raise _unfit(left or list(given), forecaster, bool(taken))
        for name in taken:
            _check_finite(name, given[name])
        with torch.no_grad():
            for name in taken:
                own[name].copy_(given[name])
        return {"sha256": self.sha256, "taken": len(taken), "left": left}


def find_start(library: Library, ledger: Ledger, plan: TrainPlan) -> Start | None:
    """The weights that a plan starts from; none where they come from its seed."""
    declared = plan.training.initial
    if declared is None:
        _refuse_nothing_to_freeze(plan)
        return None
    sha256 = _pinned(declared)
    path = _found(library, ledger, declared, sha256)
    found = file_digest(path)
    if found != sha256:
        raise IntegrityError(
            "REG-560",
            f"the initial weights have the digest {found[:12]}, not {sha256[:12]}",
            where=str(path),
            hint="fetch them again, or pin what is there under training.initial.sha256",
        )
    return Start(declared, sha256, torch_tensors(read_weights(path)))


def _refuse_nothing_to_freeze(plan: TrainPlan) -> None:
    """LoRA on weights of a seed would freeze noise."""
    settings = dict(plan.architecture.settings)
    if "lora-and-new" in (settings.get("train_only"), _of_members(settings)):
        raise Incompatible(
            "REG-460",
            "only LoRA matrices and new variables would be trained, on weights that nobody trained",
            where="training.initial",
            hint="name pretrained weights there, or set train_only to all",
        )


def _of_members(settings: Mapping[str, Any]) -> Any:
    """The setting of a composite, whose members share one network."""
    network = settings.get("network")
    return network.get("train_only") if isinstance(network, Mapping) else None


def _pinned(declared: InitialWeights) -> str:
    """The digest of weights that can be read; what is missing is said with the way to mend it."""
    place = f"{declared.repository}@{declared.revision}: {declared.file}"
    pickled = declared.path is None and not str(declared.file or ".safetensors").endswith(
        ".safetensors"
    )
    if declared.sha256 is not None and not pickled:
        return declared.sha256
    raise Incompatible(
        "REG-460",
        "the initial weights are published as a pickle, which is never loaded"
        if pickled
        else "the initial weights have no SHA-256 yet, so nothing says which bytes are meant",
        where=place,
        hint="fetch the file, convert it to safetensors where it can do no harm, look at it, and "
        "pin the result: --set training.initial.path=FILE "
        "--set training.initial.sha256=$(sha256sum FILE)",
    )


def _found(library: Library, ledger: Ledger, declared: InitialWeights, sha256: str) -> Path:
    """A file with the weights, whatever is in it."""
    if declared.path is not None:
        path = library.root / declared.path
        if not path.is_file():
            raise NotFound(
                "REG-360",
                "the initial weights are not there",
                where=str(path),
                hint="without training.initial.path the ledger is asked for their digest",
            )
        return path
    if declared.repository is None:
        return checkpoint_of_digest(library, ledger, sha256)
    kept = Layout(library.root).cache / "weights" / f"{sha256}.safetensors"
    if not kept.is_file() or file_digest(kept) != sha256:
        _fetch(declared, sha256, kept)
    return kept


def _fetch(declared: InitialWeights, sha256: str, kept: Path) -> None:
    """Bring the file from the Hub; a broken transfer leaves nothing behind."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=kept.parent) as folder:
        repository = Repository(str(declared.repository))
        repository.download(str(declared.file), str(declared.revision), Path(folder))
        came = Path(folder) / str(declared.file)
        if file_digest(came) != sha256:
            raise IntegrityError(
                "REG-560",
                f"the Hub gave weights with the digest {file_digest(came)[:12]}, not {sha256[:12]}",
                where=f"{declared.repository}@{declared.revision}: {declared.file}",
                hint="check training.initial against what its author published",
            )
        with writing_file(kept) as aside:
            came.replace(aside)


def _check_finite(name: str, tensor: Tensor) -> None:
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise IntegrityError(
            "REG-540",
            f"layer {name} of the initial weights holds values that are not finite",
            hint="start from an earlier checkpoint of that run",
        )


def _unfit(names: list[str], forecaster: Forecaster, some: bool) -> Incompatible:
    shown = ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
    what = (
        f"the initial weights do not fill {shown}"
        if some
        else f"none of the initial weights fits; the network has {shown}"
    )
    return Incompatible(
        "REG-442",
        what,
        where=forecaster.blueprint.architecture,
        hint="training.initial.into names the part they are for; strict: false takes what fits",
    )
