"""RO-Crate: an artifact with its chain as one folder that describes itself in JSON-LD.

The form is RO-Crate 1.1 with the Process Run Crate profile: each run is a ``CreateAction`` whose
``object`` it read and whose ``result`` it made.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from wxreg.artifacts.sealing import writing_folder
from wxreg.audit.members import Gathered
from wxreg.ledger.records import RunRecord
from wxreg.publish.provenance import Provenance, Thing

METADATA: Final = "ro-crate-metadata.json"
_CONTEXT: Final = "https://w3id.org/ro/crate/1.1/context"
_CRATE: Final = "https://w3id.org/ro/crate/1.1"
_PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS: Final = {"sha256": "https://schema.org/sha256"}
_DONE: Final = "http://schema.org/CompletedActionStatus"
_FAILED: Final = "http://schema.org/FailedActionStatus"


def write_crate(out: Path, chain: Gathered, known: Provenance) -> None:
    """Copy the files of the chain to a new folder and describe them there."""
    with writing_folder(out) as aside:
        for member in chain.members:
            target = aside / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(member.source, bytes):
                target.write_bytes(member.source)
            else:
                shutil.copyfile(member.source, target)
        text = json.dumps(crate_json(aside, known), indent=1)
        (aside / METADATA).write_text(text + "\n", encoding="utf-8")


def crate_json(folder: Path, known: Provenance) -> dict[str, Any]:
    """The metadata document; ``folder`` says which of the things are in the crate."""
    graph = [_descriptor(), _root(folder, known), *_things(folder, known), *_software(known)]
    graph += [_action(folder, known, run) for run in known.runs]
    graph += _licence(known)
    return {"@context": [_CONTEXT, _TERMS], "@graph": graph}


def _descriptor() -> dict[str, Any]:
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": _CRATE},
    }


def _root(folder: Path, known: Provenance) -> dict[str, Any]:
    subjects = [known.things[digest] for digest in known.subjects]
    ended = max((run.ended or run.began for run in known.runs), default="")
    found = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{', '.join(one.kind for one in subjects)} with its chain",
        "description": "Exported by wxreg from its ledger: every run and file that "
        f"{', '.join(one.name for one in subjects)} was made from.",
        "datePublished": ended,
        "conformsTo": {"@id": _PROFILE},
        "hasPart": [
            _ref(folder, one) for one in known.things.values() if _is_inside(folder, one)
        ],
        "mentions": [{"@id": f"#{run.id}"} for run in known.runs],
        "mainEntity": _ref(folder, subjects[0]),
    }  # fmt: skip
    if known.licence:
        found["license"] = {"@id": _licence_id(known)}
    return found


def _things(folder: Path, known: Provenance) -> Iterator[dict[str, Any]]:
    for one in known.things.values():
        found = {
            **_ref(folder, one),
            "@type": "CreativeWork",
            "name": one.name,
            "additionalType": one.kind,
            "identifier": f"sha256:{one.digest}",
        }
        if _is_inside(folder, one):
            is_folder = (folder / str(one.path)).is_dir()
            found["@type"] = "Dataset" if is_folder else "File"
            if one.bytes is not None:
                found["contentSize"] = str(one.bytes)
            if not is_folder and one.bytes is not None:
                found["sha256"] = one.digest
        yield found


def _software(known: Provenance) -> Iterator[dict[str, Any]]:
    for version in sorted({str(run.details.get("version", "unknown")) for run in known.runs}):
        yield {
            "@id": f"#wxreg-{version}",
            "@type": "SoftwareApplication",
            "name": "wxreg",
            "softwareVersion": version,
        }


def _action(folder: Path, known: Provenance, run: RunRecord) -> dict[str, Any]:
    found = {
        "@id": f"#{run.id}",
        "@type": "CreateAction",
        "name": f"{run.kind} run {run.id}",
        "instrument": {"@id": f"#wxreg-{run.details.get('version', 'unknown')}"},
        "startTime": run.began,
        "actionStatus": {"@id": _DONE if run.state == "finished" else _FAILED},
        "object": [
            _ref(folder, known.things[edge.parent]) for edge in known.used if edge.child == run.id
        ],
        "result": [
            _ref(folder, known.things[edge.child]) for edge in known.made if edge.parent == run.id
        ],
    }  # fmt: skip
    return found | ({"endTime": run.ended} if run.ended else {})


def _ref(folder: Path, thing: Thing) -> dict[str, str]:
    """By its path in the crate; what is not in it by its digest."""
    if not _is_inside(folder, thing):
        return {"@id": f"urn:sha256:{thing.digest}"}
    return {"@id": f"{thing.path}/" if (folder / str(thing.path)).is_dir() else str(thing.path)}


def _is_inside(folder: Path, thing: Thing) -> bool:
    return thing.path is not None and (folder / thing.path).exists()


def _licence(known: Provenance) -> Iterator[dict[str, Any]]:
    if known.licence:
        yield {"@id": _licence_id(known), "@type": "CreativeWork", "name": known.licence.name}


def _licence_id(known: Provenance) -> str:
    licence = known.licence
    return (licence.url or f"#{licence.id}") if licence else ""
