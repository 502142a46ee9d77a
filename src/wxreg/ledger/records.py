"""The frozen values that go into the ledger and come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from wxreg.errors import UsageError

RunState = Literal["begun", "running", "finished", "failed", "killed"]
EndState = Literal["finished", "failed", "killed"]
ENDED: Final = frozenset({"finished", "failed", "killed"})
GENESIS: Final = "0" * 64


@dataclass(frozen=True, order=True)
class Head:
    """The end of the log: how many events there are and the hash of the last one."""

    sequence: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read what ``reg log head`` printed."""
        number, colon, hash = text.strip().partition(":")
        if not (colon and number.isdigit() and len(hash) == len(GENESIS)):
            raise UsageError(
                "REG-220", f"{text!r} is not a head of the log", hint="give SEQUENCE:HASH"
            )
        return cls(int(number), hash)


@dataclass(frozen=True)
class Event:
    """One line of the log; ``body`` is the canonical JSON text that the hash covers."""

    sequence: int
    prev: str
    hash: str
    body: str


@dataclass(frozen=True)
class Owner:
    """The process that executes a run, told apart from any other process on any host."""

    host: str
    boot: str
    namespace: str
    pid: int
    started: str


@dataclass(frozen=True)
class RunStart:
    """What is known when a run begins.

    ``inputs`` maps the SHA-256 (or run id) of everything it reads to its role.  ``documents``
    are long texts (the plan, the list of installed distributions, a patch): each is kept once,
    whatever number of runs shares it.
    """

    id: str
    kind: str
    plan: str | None = None
    code: str | None = None
    environment: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One execution: what was meant, what it ran on, how it ended.

    ``plan``, ``code`` and ``environment`` are digests; ``documents`` maps names to the SHA-256
    of stored texts; ``outcome`` is empty until the run has ended.
    """

    id: str
    kind: str
    state: RunState
    plan: str | None
    code: str | None
    environment: str | None
    began: str
    ended: str | None
    owner: Owner
    details: Mapping[str, Any]
    documents: Mapping[str, str]
    outcome: Mapping[str, Any]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> RunRecord:
        """Read the ``run`` part of a ``run.json``."""
        return cls(**{**body, "owner": Owner(**body["owner"])})


@dataclass(frozen=True)
class ArtifactRecord:
    """These bytes, at this place, made by this run.

    ``path`` is relative to the workspace.  ``bytes`` and ``mtime_ns`` are the cached stat: a
    file that still has both is taken to be unchanged unless a full check is asked for.
    """

    sha256: str
    kind: str
    path: str
    bytes: int
    created: str
    run: str | None = None
    mtime_ns: int | None = None
    removed: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Edge(NamedTuple):
    """``child`` was made from, or by, ``parent``; each is a run id or a SHA-256."""

    parent: str
    child: str
    role: str


@dataclass(frozen=True)
class ForecastIndex:
    """What the ledger keeps of a forecast's payload index.

    ``root`` is the Merkle root of all field digests; ``prefixes`` are the leading 64 bits of
    each, as unsigned integers.
    """

    sha256: str
    root: str
    prefixes: tuple[int, ...]


@dataclass(frozen=True)
class Payload:
    """What the ledger keeps of one forecast's fields, and which of those asked for are in it."""

    root: str
    fields: int
    held: frozenset[int]


@dataclass(frozen=True)
class Holder:
    """A forecast that holds ``matched`` of the fields that were looked for."""

    sha256: str
    matched: int


@dataclass(frozen=True)
class Lookup:
    """The answer to "which forecasts hold these fields?", best match first.

    ``asked`` counts different fields.  ``common`` of them are held by so many forecasts
    (a dry, constant field, say) that they were only compared among the forecasts that the
    other fields point to; when every field is common, ``holders`` is empty.
    """

    asked: int
    common: int
    holders: tuple[Holder, ...]

    @property
    def full(self) -> tuple[Holder, ...]:
        """The forecasts that hold every field that was asked for."""
        return tuple(holder for holder in self.holders if holder.matched == self.asked)
