"""`hrrr-convective` streamed from compressed Zarr.

Its pointwise part against decoding the same chunks once; its spatial part, of fields that are
there, against the same scores asked for one by one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import Figure, paired, report
from scores_fields import SHAPE, storms

from wxreg.data.forecast_files import ForecastWriter
from wxreg.data.forecast_layout import ForecastLayout
from wxreg.library.loading import Library
from wxreg.runs.evaluating.fields import Field, ForecastFields
from wxreg.runs.scoring.bands import StoredMembers
from wxreg.runs.scoring.kinds import BINNED
from wxreg.runs.scoring.states import field_states
from wxreg.runs.scoring.statistics import Domain
from wxreg.runs.scoring.wanted import Read, Scoring
from wxreg.scores.catalogue import METRICS
from wxreg.scores.fss import FractionsSkill
from wxreg.scores.spectra import Spectrum
from wxreg.specs.protocol import Protocol

MEMBERS = 20
WORKSPACE = Path(__file__).resolve().parent.parent


def main() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        fields = write(Path(folder), MEMBERS)
        return [_pointwise(fields), _spatial(fields)]


def write(
    folder: Path, members: int, shape: tuple[int, int] = SHAPE, days: int = 1
) -> ForecastFields:
    """One lead of each day and variable; a last member, one more, serves as the truth."""
    channels = scoring(True, shape).channels
    y, x = np.linspace(50, 22, shape[0]), np.linspace(-120, -70, shape[1])
    lat, lon = np.meshgrid(y, x, indexing="ij")
    inits = tuple(86_400 * day for day in range(days))
    layout = ForecastLayout(channels, inits, (3600,), members + 1, 1, y, x, lat, lon)
    base = [
        storms(number)[: shape[0], : shape[1]] * (60 if name == "cape_sb" else 1)
        for number, name in enumerate(channels)
    ]
    random = np.random.default_rng(0)
    with ForecastWriter(folder / "forecast.zarr", layout, {}) as writer:
        for init in inits:
            for member in range(members + 1):
                noise = random.standard_normal(shape, dtype=np.float32)
                values = np.stack([np.round(field + noise * 3, 1) for field in base])
                writer.write(init, member, values[None, None])
        writer.finish()
    return ForecastFields(folder / "forecast.zarr")


def scoring(pointwise: bool, shape: tuple[int, ...] = SHAPE) -> Scoring:
    """The protocol with its pointwise metrics only, or with the others."""
    library = Library(WORKSPACE)
    protocol = library.entry("protocol", "hrrr-convective", Protocol)
    metrics = tuple(
        metric
        for metric in protocol.metrics
        if (METRICS[metric.id].statistic in BINNED) == pointwise
    )
    return Scoring(
        protocol=protocol.model_copy(update={"metrics": metrics}),
        channels=tuple(protocol.variables),
        domain=Domain(3.0, 3.0),
        lexicon=library.lexicon(),
        lat=np.zeros(shape),
        lon=np.zeros(shape),
    )


def sides(fields: ForecastFields, init: int, members: int) -> tuple[Read, Read]:
    """The forecast's members, read as `reg evaluate` reads them, and the truth."""

    def forecast(channel: str) -> StoredMembers:
        stored = fields.members_of(init, 0, channel)
        return StoredMembers((members, *stored.shape[1:]), lambda at: stored[_first(at, members)])

    def truth(channel: str) -> Field:
        return fields.members_of(init, 0, channel)[members]

    return forecast, truth


def _first(at: tuple[Any, ...], members: int) -> tuple[Any, ...]:
    """An index that leaves out the member which serves as the truth."""
    return (slice(members), *at[1:]) if isinstance(at[0], slice) else at


def _pointwise(fields: ForecastFields) -> Figure:
    wanted = scoring(True)
    forecast, truth = sides(fields, 0, MEMBERS)

    def ours() -> None:
        for _ in field_states(wanted, forecast, truth):
            pass

    def decode() -> None:
        for channel in wanted.channels:
            fields.read(0, 0, channel)

    return paired(ours, decode, 5, "cpu").figure("scores_streaming_pointwise", 2)


def _spatial(fields: ForecastFields) -> Figure:
    wanted = scoring(False)
    read = {name: fields.read(0, 0, name) for name in wanted.channels}
    made = {name: field[:2] for name, field in read.items()}
    real = {name: field[MEMBERS] for name, field in read.items()}
    fss = FractionsSkill(wanted.thresholds("refc"), (1, 3, 5, 9, 17), "padded")
    spectrum = Spectrum(3.0, 3.0)

    def ours() -> None:
        for _ in field_states(wanted, made.__getitem__, real.__getitem__):
            pass

    def singly() -> None:
        for member in made["refc"]:
            fss.update(member, real["refc"])
        for name in ("refc", "t2m"):
            for member in made[name]:
                spectrum.update(member, real[name])

    return paired(ours, singly, 5, "cpu").figure("scores_streaming_spatial", 1.2)


if __name__ == "__main__":
    report(main())
