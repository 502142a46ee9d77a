"""Go through all parts of an evaluation, merge them in order, and keep what is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wxreg.errors import Incompatible
from wxreg.runs.evaluating.kept import KeptParts
from wxreg.runs.evaluating.streams import Streams
from wxreg.runs.evaluating.tally import Tally
from wxreg.runs.evaluating.threads import in_threads
from wxreg.runs.evaluating.units import Unit, units_of
from wxreg.runs.progress import Bar

Workers = Callable[[Sequence[Unit]], Iterator[Tally]]
"""Scores parts wherever it does, and gives them back in the order in which they were asked for."""


def tallied(
    streams: Streams,
    inits: Sequence[int] | None = None,
    *,
    quiet: bool = True,
    keep: Path | None = None,
    workers: Workers | None = None,
) -> Tally:
    """The states of some inits (their positions; all by default), merged in their order.

    With ``keep`` each part that is done is kept there, and taken up again.  Without ``workers``
    the threads of this process compute.
    """
    units = units_of(streams, range(len(streams.forecast.inits)) if inits is None else inits)
    kept = KeptParts(keep)
    tally = kept.tally()
    left = units[tally.done :]
    bar = Bar(f"evaluate {streams.forecast.path.name}", len(units), done=tally.done, quiet=quiet)
    try:
        for part in (workers or (lambda some: in_threads(streams, some)))(left):
            tally.merge(part)
            kept.add(part, tally)
            bar.at(tally.done)
    finally:
        bar.close()
    require_pairs(streams, tally)
    return tally


def require_pairs(streams: Streams, tally: Tally) -> None:
    """Refuse an evaluation in which nothing could be scored."""
    unpaired = streams.scoring.protocol.pairing == "distribution"
    if tally.pairs and (tally.truth_days or not unpaired):
        return
    raise Incompatible(
        "REG-465",
        "no valid time of the forecast has a truth and every baseline",
        where=str(streams.forecast.path),
        hint=_lacking(tally),
    )


def _lacking(tally: Tally) -> str | None:
    without = [f"{n} inits without {name}" for name, n in tally.without_baseline.items() if n]
    if tally.missing:
        without.append(f"the first without truth: {tally.missing[0]}")
    if tally.without_climatology:
        without.append(f"the first without climatology: {tally.without_climatology[0]}")
    return "; ".join(without) or None
