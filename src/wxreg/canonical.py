"""Canonical JSON and the digests made from it.

A digest is the SHA-256 of the RFC 8785 text of ``{format, kind, body}``; integers beyond
±2^53, which RFC 8785 has no form for, are written as strings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import rfc8785

_EXACT = 2**53
_SHOWN = 12


def canonical_json(value: object) -> bytes:
    """The one UTF-8 text of a JSON value; raises ``ValueError`` where there is none."""
    return rfc8785.dumps(_writable(value))


def digest(kind: str, body: object, *, format: int = 1) -> str:
    """The identity of ``body`` as a ``kind``: 64 hexadecimal characters."""
    sealed = {"format": format, "kind": kind, "body": body}
    return hashlib.sha256(canonical_json(sealed)).hexdigest()


def short(full: str) -> str:
    """The part of a digest that is shown to people."""
    return full[:_SHOWN]


def _writable(value: object) -> rfc8785._Value:  # type: ignore[name-defined]
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        if abs(value) == _EXACT:
            return float(value)  # rfc8785 refuses this one integer, whose text is the same
        return int(value) if abs(value) < _EXACT else str(int(value))
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("canonical JSON needs string keys")
        return {key: _writable(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_writable(item) for item in value]
    raise ValueError(f"a {type(value).__name__} has no canonical JSON")
