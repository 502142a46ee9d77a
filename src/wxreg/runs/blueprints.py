"""From a plan and its statistics to the blueprint that a forecaster is built from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wxreg.errors import IntegrityError
from wxreg.ids import DataRef
from wxreg.leadtime import Duration
from wxreg.library.loading import Library
from wxreg.models.forecaster import Blueprint, Channel, ChannelStatistics, LossTerm
from wxreg.specs.base import FrozenDict
from wxreg.specs.model import ArchitectureRef, Lead
from wxreg.specs.plan import Plan, SamplePlan, StorePlan, TrainPlan
from wxreg.specs.statistics import ChannelStatistics as Recorded
from wxreg.specs.statistics import Statistics
from wxreg.specs.variables import Variable


def plan_statistics(
    library: Library, plan: Plan, stores: Iterable[tuple[str, StorePlan]]
) -> dict[str, Statistics]:
    """The statistics that a plan pins, by side; each is checked against its digest."""
    found = {}
    for role, store in stores:
        named = plan.about.statistics.get(role)
        if store.statistics is None or named is None:
            continue
        version, _, name = named.partition("/")
        statistics = library.statistics(DataRef.parse(version), name)
        if statistics is None or statistics.digest() != store.statistics:
            raise IntegrityError(
                "REG-560",
                f"the statistics {named} are not those that the plan pins",
                hint="resolve the plan again, or restore the file from git",
            )
        found[role] = statistics
    return found


def train_blueprint(
    plan: TrainPlan, statistics: dict[str, Statistics], lexicon: Mapping[str, Variable]
) -> Blueprint:
    """What a training builds."""
    leads = len(plan.lead.trained) if plan.lead.mode == "joint" else 1
    numbers = _Numbers(statistics, lexicon)
    return _blueprint(plan.architecture, plan.lead, plan, numbers, leads, _losses(plan))


def untrained_blueprint(
    plan: SamplePlan, statistics: dict[str, Statistics], lexicon: Mapping[str, Variable]
) -> Blueprint:
    """What a system without a checkpoint is built from."""
    architecture = plan.architecture
    if architecture is None:
        raise IntegrityError("REG-560", "the plan names neither a checkpoint nor a system")
    leads = len(plan.lead.trained) if plan.lead.mode == "joint" else 1
    numbers = _Numbers(statistics, lexicon)
    return _blueprint(architecture, plan.lead, plan, numbers, leads, ())


def _losses(plan: TrainPlan) -> tuple[LossTerm, ...]:
    return tuple(
        LossTerm(term.name, term.weight, dict(term.settings)) for term in plan.training.loss
    )


def _blueprint(
    architecture: ArchitectureRef,
    lead: Lead,
    plan: TrainPlan | SamplePlan,
    numbers: _Numbers,
    leads: int,
    losses: tuple[LossTerm, ...],
) -> Blueprint:
    sampler = plan.sampling.sampler if isinstance(plan, SamplePlan) else FrozenDict()
    inputs, targets = (numbers.of(role, getattr(plan, role)) for role in ("inputs", "targets"))
    same = plan.inputs.statistics == plan.targets.statistics
    return Blueprint(
        architecture=architecture.name,
        settings=dict(architecture.settings),
        inputs=channels_of(plan.inputs.channels),
        statics=channels_of(plan.inputs.statics or plan.targets.statics),
        targets=channels_of(plan.targets.channels),
        history=len(plan.history),
        leads=leads,
        step=str(lead.step if lead.step.seconds else Duration(0)),
        input_shape=plan.inputs.grid.shape,
        target_shape=plan.targets.grid.shape,
        statistics={**inputs, **targets},
        input_statistics={} if same else inputs,
        losses=losses,
        sampler=dict(sampler),
    )


def channels_of(names: Iterable[str]) -> tuple[Channel, ...]:
    """Channels from their names, ``t2m`` or ``t@500``."""
    pairs = (name.partition("@") for name in names)
    return tuple(Channel(name, float(level) if level else None) for name, _, level in pairs)


@dataclass(frozen=True)
class _Numbers:
    """The statistics by side, and the lexicon, whose ranges bound the transforms."""

    statistics: Mapping[str, Statistics]
    lexicon: Mapping[str, Variable]

    def of(self, role: str, store: StorePlan) -> dict[str, ChannelStatistics]:
        """The numbers of every channel and static field that a side reads."""
        if role not in self.statistics:
            return {}
        wanted = (*store.channels, *store.statics)
        channels = self.statistics[role].channels
        return {name: self._of(name, known) for name, known in channels.items() if name in wanted}

    def _of(self, name: str, known: Recorded) -> ChannelStatistics:
        low, high = self.lexicon[name.partition("@")[0]].range
        return ChannelStatistics(
            mean=known.values.mean,
            std=known.values.std,
            transform=known.transform,
            minimum=low,
            maximum=high,
            tendency_std={step: moments.std for step, moments in known.tendencies.items()},
        )
