"""Whether a sealed artifact still holds what its record says, by all of its bytes."""

from __future__ import annotations

from pathlib import Path

from wxreg.artifacts.checkpoint_file import read_checkpoint
from wxreg.artifacts.digests import merkle_root
from wxreg.artifacts.sealing import Seal, check_seal
from wxreg.audit.payload import read_payload
from wxreg.audit.reindex import forecast_index
from wxreg.errors import IntegrityError


def check_sealed(place: Path, record: Seal) -> None:
    """Refuse an artifact that is not what was sealed; a forecast is known by its fields."""
    if record.kind != "forecast":
        check_seal(place)
        if record.kind == "checkpoint":
            read_checkpoint(place)
        return
    payload = read_payload(place)
    root = merkle_root(one.digest for one in payload.prints if one.digest)
    index = forecast_index(place)
    if root != record.sha256 or index is None or index.root != root:
        what = f"the fields of {place.name} are not those that were sealed"
        raise IntegrityError("REG-500", what, where=str(place))
