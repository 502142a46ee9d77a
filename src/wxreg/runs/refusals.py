"""What a plan may declare but no code carries out is refused before anything is computed."""

from __future__ import annotations

from wxreg.errors import Incompatible


def _not_carried_out(code: str, setting: str, hint: str) -> Incompatible:
    return Incompatible(code, f"{setting} is not carried out by this version", hint=hint)
